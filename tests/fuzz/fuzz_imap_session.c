/*
 * fuzz_imap_session.c - two IMAP connections, raw bytes. The first byte: size of the pieces and budget of
 * a step. Bytes 1 to 6 are no input of the client, but events: another program delivers, removes, renames, cuts; the other
 * connection is spoken to from now on; the clock moves. What must be true: imap_play.h.
 */
#include "tests/fuzz/imap_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct connection *event(struct play *p, struct connection *c, uint8_t what)
{
	if (what <= 4)
		disturb(p, what);
	else if (what == 5)
		c = &p->connections[c == &p->connections[0]];
	else
		p->now_usec += 1000000;
	store_watch_drain(p->store);
	return c;
}

static void play(struct play *p, struct slice rest)
{
	struct connection *c = &p->connections[0];

	while (rest.n > 0 && !c->closed) {
		size_t n = 0;

		if (rest.p[0] >= 1 && rest.p[0] <= 6) {
			c = event(p, c, (uint8_t)rest.p[0]);
			rest = slice_tail(rest, 1);
			for (int i = 0; i < CONNECTIONS; i++)
				run(p, &p->connections[i]);
			continue;
		}
		while (n < rest.n && n < p->piece && !(rest.p[n] >= 1 && rest.p[n] <= 6))
			n++;
		must(buf_add(&c->in, slice_take(&rest, n)) == 0);
		run(p, c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct play p = { .now_usec = (uint64_t)1800000000 * 1000000 };

	if (n < 1 || n > 100000)
		return 0;
	p.piece = bytes[0] & 0x80 ? SIZE_MAX : (size_t)(bytes[0] & 15) + 1;
	p.budget = bytes[0] & 0x40 ? 1000 : (size_t)(bytes[0] >> 4 & 3) + 1;
	make_directories(&p);
	play_start(&p, "/dev/null/none");
	play(&p, slice_from(bytes + 1, n - 1));
	play_end(&p);
	return 0;
}
