/* prelogin_dialogue.h - plays a whole dialogue before login from the bytes of a fuzzer. */
#pragma once

#include "base/must.h"
#include "server/front/prelogin.h"

#include <stdint.h>
#include <stdlib.h>

/* Do what a front would; every login fails but for the user "x". Returns false when the dialogue is over. */
static inline bool dialogue_apply(struct prelogin *p, enum prelogin_wants wants, struct buf *in, struct buf *out)
{
	if (wants == PRELOGIN_LOGIN) {
		bool good = slice_equal(p->credentials.authcid, SLICE("x"));

		must(p->tls && p->credentials.authcid.n > 0 && p->credentials.authcid.n <= LIMIT_USER_BYTES);
		must(p->credentials.password.n <= LIMIT_PASSWORD_BYTES);
		prelogin_forget(p);
		return prelogin_answer(p, good ? VERDICT_OK : VERDICT_EXPIRED, SLICE(""), out) == PRELOGIN_AGAIN && !good;
	}
	if (wants == PRELOGIN_START_TLS) {
		must(!p->tls);
		buf_done_wipe(in);
		prelogin_tls_started(p);
	}
	return wants != PRELOGIN_CLOSE;
}

/* The first byte says how much comes at once, and whether TLS is up. */
static inline int dialogue_play(enum service service, const uint8_t *bytes, size_t n)
{
	struct prelogin p;
	struct buf in = BUF(LIMIT_PIPELINE_BYTES), out = BUF(PRELOGIN_OUT_BYTES);
	size_t piece = n > 0 ? (size_t)(bytes[0] >> 1) * 16 + 1 : 1;
	bool more = true;

	prelogin_init(&p, service, n > 0 && (bytes[0] & 1));
	prelogin_greet(&p, &out);
	for (size_t at = 1; more && at < n; at += piece) {
		enum prelogin_wants wants = PRELOGIN_AGAIN;

		must(buf_add(&in, slice_from(bytes + at, n - at < piece ? n - at : piece)) == 0);
		while (more && wants != PRELOGIN_INPUT) {
			buf_clear(&out);
			wants = prelogin_step(&p, &in, &out);
			must(!p.attempt.command || !p.tls);
			p.attempt.command = NULL;
			more = dialogue_apply(&p, wants, &in, &out);
		}
	}
	prelogin_done(&p);
	buf_done(&in);
	buf_done(&out);
	return 0;
}
