/* writer.h - writes IMAP responses: atoms, strings as quoted or literal, numbers. Pure. */
#pragma once

#include "base/buf.h"
#include "server/wire/seqset.h"

/*
 * A writer appends to out. An append beyond out's maximum fails, and so does everything after it: failed stays true,
 * and whoever owns the connection must close it (half a response may stand there).
 */
struct writer {
	struct buf *out;
	bool utf8; /* the client enabled UTF8=ACCEPT or IMAP4rev2: quoted strings may hold UTF-8 */
	bool failed;
};

/* Append as it stands: protocol text of ours, never anything from outside. */
void write_raw(struct writer *w, struct slice text);
void write_text(struct writer *w, const char *text);
void write_format(struct writer *w, const char *format, ...) _printf_(2, 3);
void write_number(struct writer *w, uint64_t number);
void write_crlf(struct writer *w);

/*
 * Append a string: quoted if it is short and quoting can carry it, else a literal. NUL becomes 0x80.
 * RFC 9051 section 9, string; section 4.3.
 */
void write_string(struct writer *w, struct slice s);
/* As write_string(); p NULL is NIL. */
void write_nstring(struct writer *w, struct slice s);
/* An atom where it can be one, else a string. */
void write_astring(struct writer *w, struct slice s);

/* Announce a literal of that many octets; the caller writes exactly them. */
void write_literal(struct writer *w, uint64_t octets);

/* Append text for a person (resp-text): bytes that may not stand there become "?". */
void write_human(struct writer *w, struct slice text);

/* Append ranges as sequence-set: "2,4:7". */
void write_ranges(struct writer *w, const struct seq_ranges *ranges);
