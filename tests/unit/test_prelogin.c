#include "unit.h"

#include "base/must.h"
#include "server/front/prelogin.h"

#include <stdlib.h>

/* One dialogue: everything the client sends, and everything it is answered. Logins of "x" succeed. */
struct dialogue {
	enum service service;
	bool tls;
	const char *says, *hears;
	const char *credentials; /* "authzid|authcid|password;" of each login */
	const char *attempts;    /* "COMMAND user;" of each credential in the clear */
};

#define TLS_CAPABILITIES "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE LANGUAGE AUTH=PLAIN"
#define PRIVACY "NO [PRIVACYREQUIRED] Not without TLS: set SSL/TLS (port 993) or STARTTLS in your mail program\r\n"
#define POP3_REFUSAL "-ERR Not without TLS: set SSL/TLS (port 995) or STARTTLS (STLS) in your mail program\r\n"
#define WRONG "NO [AUTHENTICATIONFAILED] Wrong user name or password\r\n"
#define TOO_BIG "BAD [TOOBIG] Literal too large\r\n"
#define UNKNOWN "BAD Unknown command, or not one to give before login\r\n"

static const struct dialogue dialogues[] = {
	{ SERVICE_IMAPS, true, "a CAPABILITY\r\nb noop\r\nc LOGOUT\r\n",
		"* CAPABILITY " TLS_CAPABILITIES "\r\na OK Capabilities listed\r\nb OK Done\r\n* BYE Logging out\r\nc OK Bye\r\n", "", "" },
	{ SERVICE_IMAPS, true, "a LOGIN alice secret\r\n", "a " WRONG, "|alice|secret;", "" },
	{ SERVICE_IMAPS, true, "a LOGIN \"al ice\" \"q\\\"u\\\\o\"\r\n", "a " WRONG, "|al ice|q\"u\\o;", "" },
	{ SERVICE_IMAPS, true, "a LOGIN {5}\r\nalice {4+}\r\na\r\nb\r\nb NOOP\r\n", "+ OK\r\na " WRONG "b OK Done\r\n", "|alice|a\r\nb;", "" },
	{ SERVICE_IMAPS, true, "a LOGIN x {0+}\r\n\r\n", "a OK Logged in\r\n", "|x|;", "" },
	{ SERVICE_IMAPS, true, "a LOGIN alice\r\nb LOGIN alice x y\r\nc LOGIN \"\" x\r\nd LOGIN\r\ne LOGIN \"x\r\n",
		"a BAD LOGIN takes a user name and a password\r\nb BAD LOGIN takes a user name and a password\r\n"
		"c BAD User name or password of a length that cannot be\r\nd BAD LOGIN takes a user name and a password\r\n"
		"e BAD LOGIN takes a user name and a password\r\n",
		"", "" },
	{ SERVICE_IMAPS, true, "a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\nb AUTHENTICATE PLAIN\r\nYQB4AHk=\r\n",
		"a " WRONG "+ \r\nb OK Logged in\r\n", "|alice|secret;a|x|y;", "" },
	{ SERVICE_IMAPS, true, "a AUTHENTICATE PLAIN\r\n*\r\nb AUTHENTICATE plain\r\n{5}\r\nc AUTHENTICATE CRAM-MD5\r\nd AUTHENTICATE PLAIN =\r\n",
		"+ \r\na BAD Authentication cancelled\r\n+ \r\nb BAD Not base64\r\nc NO Mechanism not offered; PLAIN is\r\n"
		"d BAD Not a response of the PLAIN mechanism\r\n",
		"", "" },
	{ SERVICE_IMAPS, true, "a LOGIN {4294967296}\r\nb LOGIN {99999999999999999999}\r\nc LOGIN {1025+}\r\n", "a " TOO_BIG "b " TOO_BIG, "", "" },
	{ SERVICE_IMAPS, true, "a LOGIN {99999999999999999999+}\r\nb NOOP\r\n", "* BYE [TOOBIG] Command line or literal too long\r\n", "", "" },
	{ SERVICE_IMAPS, true, "a NOOP {3+}\r\nxyz\r\nb NOOP {3}\r\n", "a BAD This command takes no literal\r\nb BAD This command takes no literal\r\n", "", "" },
	{ SERVICE_IMAPS, true, "a ID NIL\r\nb ID (\"n\" {1+}\r\nx \"v\" NIL)\r\nc ID (\r\n",
		"* ID (\"name\" \"restante\")\r\na OK Thank you\r\n* ID (\"name\" \"restante\")\r\nb OK Thank you\r\n"
		"c BAD ID takes a list of strings, or NIL\r\n",
		"", "" },
	{ SERVICE_IMAPS, true, "a LANGUAGE\r\nb LANGUAGE fr {2+}\r\nja en\r\nc NOOP\r\nd LANGUAGE de\r\ne LOGIN alice y\r\n"
		"f LANGUAGE DEFAULT\r\ng NOOP\r\nh LANGUAGE \r\ni LANGUAGE ja (\r\nj NOOP\r\n",
		"* LANGUAGE (en ja i-default)\r\na OK Languages follow\r\n* LANGUAGE (ja)\r\nb OK 応答を日本語にしました\r\nc OK 完了しました\r\n"
		"d NO [CANNOT] その言語には対応していません\r\ne NO [AUTHENTICATIONFAILED] ユーザー名またはパスワードが違います\r\n"
		"* LANGUAGE (en)\r\nf OK Responses are in this language now\r\ng OK Done\r\nh BAD LANGUAGE takes language ranges\r\n"
		"i BAD LANGUAGE takes language ranges\r\nj OK Done\r\n",
		"|alice|y;", "" },
	{ SERVICE_IMAP, false, "a LANGUAGE ja\r\nb LOGIN x y\r\nc STARTTLS\r\n",
		"* LANGUAGE (ja)\r\na OK 応答を日本語にしました\r\n"
		"b NO [PRIVACYREQUIRED] TLS なしでは使えません。メールソフトで SSL/TLS (ポート 993) か STARTTLS を設定してください\r\n"
		"c OK TLS を始めてください\r\n",
		"", "LOGIN x;" },
	{ SERVICE_IMAPS, true, "\r\na STARTTLS\r\nb SELECT INBOX\r\n+ NOOP\r\n", "* " UNKNOWN "a BAD TLS is active already\r\nb " UNKNOWN "* " UNKNOWN, "", "" },
	{ SERVICE_IMAPS, true, "a\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\na\r\nb NOOP\r\n",
		"a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN
		"* BYE Too many bad commands\r\n",
		"", "" },
	{ SERVICE_IMAP, false, "a LOGIN alice secret\r\nb LOGIN \"a b\" x\r\nc LOGIN {5}\r\nd LOGIN bob {6}\r\n", "a " PRIVACY "b " PRIVACY "c " PRIVACY "d " PRIVACY, "",
		"LOGIN alice;LOGIN a b;LOGIN ;LOGIN bob;" },
	{ SERVICE_IMAP, false, "a LOGIN {5+}\r\nalice {4+}\r\nx\r\ny\r\nb NOOP\r\n", "a " PRIVACY "b OK Done\r\n", "", "LOGIN ;" },
	{ SERVICE_IMAP, false, "a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\nb AUTHENTICATE PLAIN\r\n", "a " PRIVACY "b " PRIVACY, "", "AUTHENTICATE ;AUTHENTICATE ;" },
	{ SERVICE_IMAP, false, "a STARTTLS x\r\nb STARTTLS\r\nc LOGIN x y\r\nd NOOP\r\n", "a BAD STARTTLS takes no arguments\r\nb OK Begin TLS now\r\n", "", "" },
	{ SERVICE_POP3S, true, "CAPA\r\nNOOP\r\nQUIT\r\n",
		"+OK Capabilities follow\r\nUSER\r\nSASL PLAIN\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nEXPIRE NEVER\r\n"
		"UTF8\r\nLANG\r\nIMPLEMENTATION restante\r\n.\r\n-ERR Unknown command, or not one to give before login\r\n+OK Bye\r\n",
		"", "" },
	{ SERVICE_POP3S, true, "USER alice\r\nPASS  two words \r\nPASS x\r\nuser x\r\npass \r\n",
		"+OK Now the password\r\n-ERR [AUTH] Wrong user name or password\r\n-ERR USER comes before PASS\r\n+OK Now the password\r\n"
		"+OK Logged in\r\n",
		"|alice| two words ;|x|;", "" },
	{ SERVICE_POP3S, true, "AUTH\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN\r\nAHgAeQ==\r\n",
		"+OK Mechanisms follow\r\nPLAIN\r\n.\r\n+ \r\n-ERR Authentication cancelled\r\n+ \r\n+OK Logged in\r\n", "|x|y;", "" },
	{ SERVICE_POP3S, true, "UTF8\r\nLANG\r\nLANG en-GB\r\nLANG ja\r\nSTLS\r\nAPOP a b\r\n",
		"+OK UTF-8 mode\r\n+OK Languages follow\r\nen English\r\n.\r\n+OK en Replies are in English\r\n-ERR Only English is spoken before login\r\n"
		"-ERR TLS is active already\r\n-ERR APOP is not offered; USER and PASS, or AUTH PLAIN, are\r\n",
		"", "" },
	{ SERVICE_POP3, false, "USER alice\r\nPASS secret\r\nAPOP bob 0123\r\nAUTH PLAIN AHgAeQ==\r\nSTLS\r\nUSER x\r\n",
		POP3_REFUSAL POP3_REFUSAL POP3_REFUSAL POP3_REFUSAL "+OK Begin TLS now\r\n", "", "USER alice;PASS ;APOP bob;AUTH ;" },
};

struct player {
	struct prelogin p;
	struct buf in, out, heard, credentials, attempts;
	bool over;
};

static void note_login(struct player *player)
{
	const struct credentials *c = &player->p.credentials;
	bool good = slice_equal(c->authcid, SLICE("x"));

	must(buf_addf(&player->credentials, "%.*s|%.*s|%.*s;", SLICE_FMT(c->authzid), SLICE_FMT(c->authcid), SLICE_FMT(c->password)) == 0);
	prelogin_forget(&player->p);
	CU_ASSERT(prelogin_answer(&player->p, good ? VERDICT_OK : VERDICT_AUTHENTICATION_FAILED, SLICE(""), &player->out) == PRELOGIN_AGAIN);
	player->over = good;
}

static bool play_step(struct player *player)
{
	enum prelogin_wants wants = prelogin_step(&player->p, &player->in, &player->out);
	struct prelogin_attempt *attempt = &player->p.attempt;

	if (wants == PRELOGIN_LOGIN)
		note_login(player);
	if (attempt->command)
		must(buf_addf(&player->attempts, "%s %.*s;", attempt->command, SLICE_FMT(attempt->user)) == 0);
	attempt->command = NULL;
	player->over = player->over || wants == PRELOGIN_CLOSE || wants == PRELOGIN_START_TLS;
	must(buf_add(&player->heard, buf_slice(&player->out)) == 0);
	buf_clear(&player->out);
	return wants != PRELOGIN_INPUT && !player->over;
}

/* Send in two pieces, split at a point; or, at split 0, byte by byte. */
static void play(const struct dialogue *d, size_t split, struct player *player)
{
	struct slice says = slice_str(d->says);
	size_t step = split > 0 ? split : 1;

	*player = (struct player){ .in = BUF(65536), .out = BUF(PRELOGIN_OUT_BYTES), .heard = BUF(65536), .credentials = BUF(4096), .attempts = BUF(4096) };
	prelogin_init(&player->p, d->service, d->tls);
	while (says.n > 0 && !player->over) {
		size_t n = step < says.n ? step : says.n;

		must(buf_add(&player->in, slice_take(&says, n)) == 0);
		while (play_step(player))
			;
		step = split > 0 ? says.n : 1;
	}
}

static void player_done(struct player *player)
{
	prelogin_done(&player->p);
	buf_done(&player->in);
	buf_done(&player->out);
	buf_done(&player->heard);
	buf_done(&player->credentials);
	buf_done(&player->attempts);
}

static void test_dialogues(void)
{
	for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++)
		for (size_t split = 0; split <= strlen(dialogues[i].says); split++) {
			struct player player;

			play(&dialogues[i], split, &player);
			CHECK(slice_equal(buf_slice(&player.heard), slice_str(dialogues[i].hears)), "row %zu split %zu: %.*s", i, split,
				SLICE_FMT(buf_slice(&player.heard)));
			CHECK(slice_equal(buf_slice(&player.credentials), slice_str(dialogues[i].credentials)), "row %zu split %zu", i, split);
			CHECK(slice_equal(buf_slice(&player.attempts), slice_str(dialogues[i].attempts)), "row %zu split %zu: %.*s", i, split,
				SLICE_FMT(buf_slice(&player.attempts)));
			player_done(&player);
		}
}

static bool holds(const void *memory, size_t n, const char *needle)
{
	return memmem(memory, n, needle, strlen(needle)) != NULL;
}

/* What a step consumed is zeros afterwards, and prelogin_forget() leaves nothing in what it kept. */
static void test_wiping(void)
{
	static const char *const inputs[] = { "a LOGIN alice pass-word-1\r\n", "a LOGIN alice {11+}\r\npass-word-1\r\n", "a LOGIN alice pass-word-1" };

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		struct prelogin p;
		struct buf in = BUF(4096), out = BUF(PRELOGIN_OUT_BYTES);

		prelogin_init(&p, SERVICE_IMAPS, true);
		must(buf_add_str(&in, inputs[i]) == 0);
		while (prelogin_step(&p, &in, &out) == PRELOGIN_AGAIN)
			;
		CHECK(in.n == 0 && !holds(in.base, in.cap, "word-1"), "row %zu", i);
		prelogin_forget(&p);
		CHECK(!holds(&p, sizeof p, "word-1") && !p.framing.command.base && !p.decoded.base, "row %zu", i);
		prelogin_done(&p);
		buf_done(&in);
		buf_done(&out);
	}
}

static void test_start_tls_forgets(void)
{
	struct prelogin p;
	struct buf in = BUF(4096), out = BUF(PRELOGIN_OUT_BYTES);

	prelogin_init(&p, SERVICE_POP3, false);
	must(buf_add_str(&in, "FROB\r\nSTLS\r\n") == 0);
	CU_ASSERT(prelogin_step(&p, &in, &out) == PRELOGIN_AGAIN);
	CU_ASSERT(prelogin_step(&p, &in, &out) == PRELOGIN_START_TLS);
	prelogin_tls_started(&p);
	CU_ASSERT(p.tls && p.bad_commands == 0 && p.protocol == prelogin_protocol(SERVICE_POP3));
	must(buf_add_str(&in, "PASS x\r\n") == 0);
	buf_clear(&out);
	CU_ASSERT(prelogin_step(&p, &in, &out) == PRELOGIN_AGAIN);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("-ERR USER comes before PASS\r\n")));
	prelogin_done(&p);
	buf_done(&in);
	buf_done(&out);
}

static void test_byes(void)
{
	for (enum service s = 0; s < SERVICE_COUNT; s++)
		for (enum prelogin_bye bye = 0; bye < PRELOGIN_BYE_COUNT; bye++) {
			struct buf out = BUF(PRELOGIN_OUT_BYTES);

			prelogin_say_bye(s, bye, &out);
			CHECK(slice_starts_with(buf_slice(&out), service_is_imap(s) ? SLICE("* BYE ") : SLICE("-ERR ")), "bye %d", (int)bye);
			CHECK(!holds(out.base, out.n, "(null)"), "bye %d", (int)bye);
			buf_done(&out);
		}
}

static void test_failures_end(void)
{
	struct prelogin p;
	struct buf out = BUF(PRELOGIN_OUT_BYTES);

	prelogin_init(&p, SERVICE_IMAPS, true);
	strcpy(p.tag, "t");
	for (enum verdict v = VERDICT_AUTHENTICATION_FAILED; v < VERDICT_AUTHENTICATION_FAILED + 4; v++)
		CU_ASSERT(prelogin_answer(&p, v, SLICE(""), &out) == PRELOGIN_AGAIN);
	buf_clear(&out);
	CU_ASSERT(prelogin_answer(&p, VERDICT_LIMIT, SLICE("[LIMIT] own words"), &out) == PRELOGIN_CLOSE);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("t NO [LIMIT] own words\r\n* BYE Too many failed logins\r\n")));
	prelogin_done(&p);
	buf_done(&out);
}

static const struct unit_test tests[] = {
	{ "dialogues", test_dialogues },
	{ "wiping", test_wiping },
	{ "STARTTLS forgets", test_start_tls_forgets },
	{ "goodbyes", test_byes },
	{ "failures end the connection", test_failures_end },
};

UNIT_MAIN("test_prelogin", tests)
