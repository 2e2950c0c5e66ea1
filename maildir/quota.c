#include "maildir/quota.h"

#include <errno.h>

/* Dovecot keeps limits in 63 bits. */
static bool take_limit(struct slice limit, struct quota_limits *limits)
{
	uint64_t value;

	if (limit.n < 2 || !slice_number(slice_head(limit, limit.n - 1), UINT64_MAX, &value))
		return false;
	if (value > INT64_MAX)
		value = INT64_MAX;
	switch (limit.p[limit.n - 1]) {
	case 'S':
		limits->bytes = value;
		return true;
	case 'C':
		limits->messages = value;
		return true;
	default:
		return false;
	}
}

/* What is no limit is passed over: other programs may know more kinds. */
static struct quota_limits parse_limits(struct slice line)
{
	struct quota_limits limits = { 0 };
	struct slice limit;

	while (slice_split(&line, ',', &limit))
		(void)take_limit(slice_trim(limit), &limits);
	return limits;
}

static bool parse_signed(struct slice text, int64_t *ret_value)
{
	bool negative = slice_skip(&text, '-');
	uint64_t value;

	if (!slice_number(text, INT64_MAX, &value))
		return false;
	*ret_value = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool parse_sum(struct slice line, struct quota_sum *ret_sum)
{
	struct slice bytes;

	line = slice_trim(line);
	return slice_split(&line, ' ', &bytes) && parse_signed(bytes, &ret_sum->bytes) &&
	       parse_signed(slice_trim(line), &ret_sum->messages);
}

static bool add_sum(struct quota_sum *total, const struct quota_sum *sum)
{
	return !__builtin_add_overflow(total->bytes, sum->bytes, &total->bytes) &&
	       !__builtin_add_overflow(total->messages, sum->messages, &total->messages);
}

bool quota_parse(struct slice text, struct quota_text *ret_text)
{
	bool whole = text.n > 0 && text.p[text.n - 1] == '\n';
	struct quota_text parsed = { .sums = 0 };
	struct slice all = text, line;
	struct quota_sum sum;

	if (slice_split(&text, '\n', &line))
		parsed.limits = parse_limits(line);
	parsed.limits_bytes = all.n - text.n;
	*ret_text = parsed;
	while (slice_split(&text, '\n', &line)) {
		if (!parse_sum(line, &sum) || !add_sum(&parsed.used, &sum))
			return false;
		parsed.sums++;
	}
	*ret_text = parsed;
	return whole && parsed.sums > 0 && parsed.used.bytes >= 0 && parsed.used.messages >= 0;
}

bool quota_is_over(const struct quota_limits *limits, const struct quota_sum *used)
{
	return (limits->bytes > 0 && used->bytes > 0 && (uint64_t)used->bytes > limits->bytes) ||
	       (limits->messages > 0 && used->messages > 0 &&
		       (uint64_t)used->messages > limits->messages);
}

/* Without any limit Dovecot writes "0S". */
int quota_format(const struct quota_limits *limits, const struct quota_sum *used, struct buf *out)
{
	bool bytes = limits->bytes > 0 || limits->messages == 0;
	int r = bytes ? buf_addf(out, "%lluS", (unsigned long long)limits->bytes) : 0;

	if (r == 0 && limits->messages > 0)
		r = buf_addf(out, "%s%lluC", bytes ? "," : "",
			(unsigned long long)limits->messages);
	if (r == 0)
		r = buf_add_char(out, '\n');
	return r == 0 ? quota_format_sum(used, out) : r;
}

int quota_format_sum(const struct quota_sum *change, struct buf *out)
{
	return buf_addf(
		out, "%lld %lld\n", (long long)change->bytes, (long long)change->messages);
}
