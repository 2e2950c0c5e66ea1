#include "server/imap/list_pattern.h"

#include "base/mutf7.h"
#include "server/imap/connection.h"

enum { PATTERN_BYTES_PER_UNIT = 64 };

struct list_patterns list_patterns_make(struct imap *imap, const struct list_arguments *arguments)
{
	struct list_pattern *patterns =
		arena_array(&imap->arena, arguments->patterns_n + 1, sizeof *patterns);
	struct list_patterns made = { .patterns = patterns };

	for (size_t i = 0; i < arguments->patterns_n; i++) {
		struct list_pattern *pattern = &patterns[made.n];

		if (arguments->extended && arguments->patterns[i].n == 0)
			continue; /* RFC 9051 section 6.3.9: an empty one is ignored */
		pattern->text = arena_format(&imap->arena, "%.*s%.*s",
			SLICE_FMT(arguments->reference), SLICE_FMT(arguments->patterns[i]));
		pattern->utf8 = imap->enabled & ENABLED_UTF8_NAMES;
		for (size_t k = 0; k < pattern->text.n; k++)
			pattern->utf8 |= pattern->text.p[k] < 0;
		made.bytes += pattern->text.n;
		made.n++;
	}
	return made;
}

static bool matches(const struct imap *imap, const struct list_pattern *pattern, struct slice name)
{
	_cleanup_buf_ struct buf encoded = BUF(LIMIT_PATH_BYTES);
	char delimiter = store_hierarchy_separator(imap->settings.store);

	if (pattern->utf8)
		return list_matches(pattern->text, name, delimiter);
	return mutf7_encode(name, &encoded) == 0 &&
	       list_matches(pattern->text, buf_slice(&encoded), delimiter);
}

bool list_patterns_match(
	const struct imap *imap, const struct list_patterns *patterns, struct slice name)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (matches(imap, &patterns->patterns[i], name))
			return true;
	return false;
}

bool list_patterns_match_level(
	const struct imap *imap, const struct list_patterns *patterns, struct slice name)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (slice_ends_with(patterns->patterns[i].text, SLICE("%")) &&
			matches(imap, &patterns->patterns[i], name))
			return true;
	return false;
}

enum run list_patterns_wait(struct imap *imap, const struct list_patterns *patterns)
{
	if (imap_output_full(imap))
		return RUN_OUTPUT;
	if (!imap_spend(imap))
		return RUN_STEP;
	for (size_t i = 0; i < patterns->bytes / PATTERN_BYTES_PER_UNIT; i++)
		(void)imap_spend(imap);
	return RUN_DONE;
}
