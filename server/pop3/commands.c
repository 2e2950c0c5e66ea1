/* The command table, and every command but RETR and TOP. */
#include "server/pop3/command.h"

#include "base/must.h"

#include <errno.h>
#include <inttypes.h>

enum { LISTINGS_PER_UNIT = 16 };

/* Append the next lines of a listing; line() writes the one of a msgno. */
static enum pop3_progress run_listing(struct pop3 *pop3, struct buf *out, struct work *work,
	void (*line)(struct pop3 *pop3, struct buf *out, uint32_t msgno))
{
	struct pop3_run *run = &pop3->run;

	if (!run->is_begun) {
		run->is_begun = true;
		run->next = 1;
		pop3_okf(pop3, out, TEXT_LISTING, "%" PRIu32, maildrop_undeleted(pop3->maildrop));
	}
	for (; run->next <= maildrop_count(pop3->maildrop); run->next++) {
		if (out->n >= LIMIT_OUTPUT_HIGH_WATER_BYTES || work->budget == 0)
			return POP3_YIELD;
		if (run->next % LISTINGS_PER_UNIT == 0)
			work->budget--;
		if (!maildrop_message(pop3->maildrop, run->next)->is_deleted)
			line(pop3, out, run->next);
	}
	pop3_addf(out, ".\r\n");
	return POP3_DONE;
}

/* RFC 1939 section 5, "scan listing". */
static void add_scan_listing(struct pop3 *pop3, struct buf *out, uint32_t msgno)
{
	pop3_addf(out, "%" PRIu32 " %" PRIu64 "\r\n", msgno,
		maildrop_message(pop3->maildrop, msgno)->octets);
}

static enum pop3_progress run_list(struct pop3 *pop3, struct buf *out, struct work *work)
{
	if (!pop3->run.arguments.has_msgno)
		return run_listing(pop3, out, work, add_scan_listing);
	if (pop3_message(pop3, out)) {
		pop3_addf(out, "+OK ");
		add_scan_listing(pop3, out, pop3->run.arguments.msgno);
	}
	return POP3_DONE;
}

/* RFC 1939 section 7, "unique-id listing". */
static void add_unique_id_listing(struct pop3 *pop3, struct buf *out, uint32_t msgno)
{
	pop3_addf(out, "%" PRIu32 " %.*s\r\n", msgno,
		SLICE_FMT(maildrop_unique_id(pop3->maildrop, msgno)));
}

static enum pop3_progress run_uidl(struct pop3 *pop3, struct buf *out, struct work *work)
{
	if (maildrop_load_unique_ids(pop3->maildrop, work) < 0)
		return POP3_YIELD;
	if (!pop3->run.arguments.has_msgno)
		return run_listing(pop3, out, work, add_unique_id_listing);
	if (pop3_message(pop3, out)) {
		pop3_addf(out, "+OK ");
		add_unique_id_listing(pop3, out, pop3->run.arguments.msgno);
	}
	return POP3_DONE;
}

/* RFC 1939 section 5: nothing may follow the two numbers. */
static enum pop3_progress run_stat(struct pop3 *pop3, struct buf *out, struct work *work)
{
	(void)work;
	pop3_addf(out, "+OK %" PRIu32 " %" PRIu64 "\r\n", maildrop_undeleted(pop3->maildrop),
		maildrop_octets(pop3->maildrop));
	return POP3_DONE;
}

static enum pop3_progress run_dele(struct pop3 *pop3, struct buf *out, struct work *work)
{
	(void)work;
	if (pop3_message(pop3, out)) {
		maildrop_delete(pop3->maildrop, pop3->run.arguments.msgno);
		pop3_ok(pop3, out, TEXT_DELETED);
	}
	return POP3_DONE;
}

static enum pop3_progress run_noop(struct pop3 *pop3, struct buf *out, struct work *work)
{
	(void)work;
	pop3_ok(pop3, out, TEXT_NOOP);
	return POP3_DONE;
}

static enum pop3_progress run_rset(struct pop3 *pop3, struct buf *out, struct work *work)
{
	(void)work;
	maildrop_reset(pop3->maildrop);
	pop3_ok(pop3, out, TEXT_RESET);
	return POP3_DONE;
}

/*
 * What was announced before login must be announced still, and the same: SASL and USER too (RFC 2449 section 5, RFC 5034
 * section 3), IMPLEMENTATION without a version, which strangers need not know. UTF8 comes
 * without USER: names and passwords go to PAM as they are, without SASLprep (RFC 6856 section 2.2).
 */
static enum pop3_progress run_capa(struct pop3 *pop3, struct buf *out, struct work *work)
{
	(void)work;
	pop3_ok(pop3, out, TEXT_CAPABILITIES);
	pop3_addf(out,
		"TOP\r\nUIDL\r\nUSER\r\nSASL "
		"PLAIN\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nEXPIRE NEVER\r\n"
		"UTF8\r\nLANG\r\nIMPLEMENTATION restante\r\n.\r\n");
	return POP3_DONE;
}

/*
 * RFC 6856 section 2 gives it to the AUTHORIZATION state, while section 5 lets a client that was refused a message say it
 * afterwards. So it is allowed here; what it changes is said in retrieve.c: nothing.
 */
static enum pop3_progress run_utf8(struct pop3 *pop3, struct buf *out, struct work *work)
{
	(void)work;
	pop3_ok(pop3, out, TEXT_UTF8);
	return POP3_DONE;
}

static void list_languages(struct pop3 *pop3, struct buf *out)
{
	pop3_ok(pop3, out, TEXT_LANGUAGES);
	for (enum pop3_language i = 0; i < POP3_LANGUAGE_COUNT; i++)
		pop3_addf(out, "%s %s\r\n", pop3_language_tag(i), pop3_language_name(i));
	pop3_addf(out, ".\r\n");
}

/* RFC 6856 section 3.2: from the answer on, texts are in that language and in UTF-8, whatever the UTF8 command says. */
static enum pop3_progress run_lang(struct pop3 *pop3, struct buf *out, struct work *work)
{
	struct slice language = pop3->run.arguments.language;

	(void)work;
	if (language.n == 0)
		list_languages(pop3, out);
	else if (pop3_language_find(language, &pop3->language))
		pop3_okf(pop3, out, TEXT_LANGUAGE_CHANGED, "%s", pop3_language_tag(pop3->language));
	else
		pop3_err(pop3, out, NULL, TEXT_LANGUAGE_UNKNOWN);
	return POP3_DONE;
}

/* RFC 1939 section 6: the UPDATE state, and goodbye. */
static enum pop3_progress run_quit(struct pop3 *pop3, struct buf *out, struct work *work)
{
	pop3->state = POP3_UPDATE;

	int r = maildrop_update(pop3->maildrop, work);

	if (r == -EINPROGRESS)
		return POP3_YIELD;
	if (r == -EAGAIN)
		return POP3_RETRY;
	if (r < 0)
		pop3_err(pop3, out, "SYS/TEMP", TEXT_NOT_ALL_REMOVED);
	else
		pop3_ok(pop3, out, TEXT_SIGNING_OFF);
	pop3->engine.reason = CLOSE_LOGOUT;
	return POP3_CLOSE;
}

enum {
	IN_AUTHORIZATION =
		1 << POP3_AUTHORIZATION, /* the front runs these; here they come too late */
	IN_TRANSACTION = 1 << POP3_TRANSACTION,
	/* While QUIT is at work it is the command in progress, and stays so. */
	IN_ANY = IN_AUTHORIZATION | IN_TRANSACTION,
};

static const struct pop3_command commands[] = {
	{ "STAT", IN_TRANSACTION, pop3_parse_none, run_stat },           /* RFC 1939 section 5 */
	{ "LIST", IN_TRANSACTION, pop3_parse_optional_msgno, run_list }, /* RFC 1939 section 5 */
	{ "UIDL", IN_TRANSACTION, pop3_parse_optional_msgno, run_uidl }, /* RFC 1939 section 7 */
	{ "RETR", IN_TRANSACTION, pop3_parse_msgno, pop3_run_retr },     /* RFC 1939 section 5 */
	{ "DELE", IN_TRANSACTION, pop3_parse_msgno, run_dele },          /* RFC 1939 section 5 */
	{ "TOP", IN_TRANSACTION, pop3_parse_msgno_lines, pop3_run_top }, /* RFC 1939 section 7 */
	{ "NOOP", IN_TRANSACTION, pop3_parse_none, run_noop },           /* RFC 1939 section 5 */
	{ "RSET", IN_TRANSACTION, pop3_parse_none, run_rset },           /* RFC 1939 section 5 */
	{ "QUIT", IN_ANY, pop3_parse_none, run_quit },      /* RFC 1939 sections 5 and 6 */
	{ "CAPA", IN_ANY, pop3_parse_none, run_capa },      /* RFC 2449 section 5 */
	{ "UTF8", IN_ANY, pop3_parse_none, run_utf8 },      /* RFC 6856 section 2 */
	{ "LANG", IN_ANY, pop3_parse_language, run_lang },  /* RFC 6856 section 3 */
	{ "USER", IN_AUTHORIZATION, pop3_parse_any, NULL }, /* RFC 1939 section 7 */
	{ "PASS", IN_AUTHORIZATION, pop3_parse_any, NULL }, /* RFC 1939 section 7 */
	{ "APOP", IN_AUTHORIZATION, pop3_parse_any, NULL }, /* RFC 1939 section 7 */
	{ "AUTH", IN_AUTHORIZATION, pop3_parse_any, NULL }, /* RFC 5034 section 4 */
	{ "STLS", IN_AUTHORIZATION, pop3_parse_any, NULL }, /* RFC 2595 section 4 */
};

const struct pop3_command *pop3_command_find(struct slice keyword)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (slice_equal_nocase(keyword, slice_str(commands[i].name)))
			return &commands[i];
	return NULL;
}
