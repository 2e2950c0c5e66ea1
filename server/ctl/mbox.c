#include "server/ctl/mbox.h"

#include <errno.h>
#include <time.h>

enum { SENDER_MAX_BYTES = 320 };

static const char FROM[] = "From ";
enum { FROM_BYTES = sizeof FROM - 1 };

/* The address of a Return-Path field; empty if there is none, or it cannot stand as one word. */
static struct slice find_sender(struct slice head)
{
	struct slice line;

	while (slice_split(&head, '\n', &line) && slice_trim(line).n > 0) {
		if (!slice_skip_nocase(&line, SLICE("Return-Path:")))
			continue;
		line = slice_trim(line);
		if (line.n > 2 && line.p[0] == '<' && line.p[line.n - 1] == '>')
			line = slice_from(line.p + 1, line.n - 2);
		for (size_t i = 0; i < line.n; i++)
			if ((uint8_t)line.p[i] <= ' ' || (uint8_t)line.p[i] >= 0x7f)
				return SLICE("");
		return line.n > SENDER_MAX_BYTES || slice_equal(line, SLICE("<>")) ? SLICE("")
										   : line;
	}
	return SLICE("");
}

int mbox_begin(struct mbox *mbox, struct slice head, int64_t date, struct buf *out)
{
	struct slice sender = find_sender(head);
	time_t seconds = (time_t)date;
	char text[64] = "Thu Jan  1 00:00:00 1970";
	struct tm tm;

	*mbox = (struct mbox){ .ends_in_lf = true };
	/* Four digits of year: what readers of this line know. */
	if (gmtime_r(&seconds, &tm) && tm.tm_year >= 0 && tm.tm_year < 10000 - 1900)
		strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &tm);
	if (sender.n == 0)
		sender = SLICE("MAILER-DAEMON");
	return buf_addf(out, "From %.*s %s\n", SLICE_FMT(sender), text);
}

/* Write what was held back at the start of a line. */
static int release(struct mbox *mbox, struct buf *out)
{
	int r = buf_add(out, slice_from(FROM, mbox->n_from));

	mbox->n_from = 0;
	return r;
}

/*
 * One octet at the start of a line: held back as long as it may be such a line. One ">" more right before "From " is
 * the same as one in front. Returns 1, 0: not held; -ENOBUFS.
 */
static int hold(struct mbox *mbox, char c, struct buf *out)
{
	if (c == '>' && mbox->n_from == 0)
		return buf_add_char(out, c) < 0 ? -ENOBUFS : 1;
	if (c != FROM[mbox->n_from]) {
		mbox->in_line = true;
		return release(mbox, out);
	}
	if (++mbox->n_from < FROM_BYTES)
		return 1;
	mbox->in_line = true;
	return buf_add_char(out, '>') < 0 || release(mbox, out) < 0 ? -ENOBUFS : 1;
}

int mbox_add(struct mbox *mbox, struct slice octets, struct buf *out)
{
	int r = 0;

	while (octets.n > 0 && r >= 0) {
		if (!mbox->in_line) {
			r = hold(mbox, octets.p[0], out);
			if (r == 1)
				octets = slice_tail(octets, 1);
			mbox->ends_in_lf = false;
			continue;
		}

		ssize_t end = slice_find(octets, '\n');
		size_t n = end < 0 ? octets.n : (size_t)end + 1;

		r = buf_add(out, slice_head(octets, n));
		mbox->ends_in_lf = end >= 0;
		mbox->in_line = end < 0;
		octets = slice_tail(octets, n);
	}
	return r < 0 ? r : 0;
}

int mbox_end(struct mbox *mbox, struct buf *out)
{
	int r = release(mbox, out);

	if (r == 0 && !mbox->ends_in_lf)
		r = buf_add_char(out, '\n');
	return r < 0 ? r : buf_add_char(out, '\n');
}
