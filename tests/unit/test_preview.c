#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"
#include "maildir/message/html_text.h"
#include "maildir/message/preview.h"
#include "tests/unit/unit.h"

#include <errno.h>

#define TEXT(literal) { "" literal, sizeof(literal) - 1 }

static const struct {
	struct slice message;
	const char *want;
} rows[] = {
	{ TEXT("\nHello,\n\n  this is\x09" "a   test. \n"),
		"Hello, this is a test." },
	{ TEXT("\n"),
		"" },
	{ TEXT("\n \n\x09\n"),
		"" },
	{ TEXT("Content-Type: text/plain; charset=iso-2022-jp\n\n"
		  "\x1b$BL@F|$N2q5D$O!\"El5~$G9T$$$^$9!#\x1b(B\n"),
		"\xe6\x98\x8e\xe6\x97\xa5\xe3\x81\xae\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xaf\xe3\x80\x81\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xa7\xe8\xa1\x8c\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82" },
	{ TEXT("Content-Type: text/plain; charset=Shift_JIS\n\n"
		  "\x96\xbe\x93\xfa\x82\xcc\x89\xef\x8b" "c\x82\xcd\x81" "A\x93\x8c\x8b\x9e\x82\xc5\x8ds\x82\xa2\x82\xdc\x82\xb7\x81" "B\n"
		  ""),
		"\xe6\x98\x8e\xe6\x97\xa5\xe3\x81\xae\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xaf\xe3\x80\x81\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xa7\xe8\xa1\x8c\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82" },
	{ TEXT("Content-Type: text/plain; charset=euc-jp\n\n"
		  "\xcc\xc0\xc6\xfc\xa4\xce\xb2\xf1\xb5\xc4\xa4\xcf\xa1\xa2\xc5\xec\xb5\xfe\xa4\xc7\xb9\xd4\xa4\xa4\xa4\xde\xa4\xb9\xa1\xa3\n"
		  ""),
		"\xe6\x98\x8e\xe6\x97\xa5\xe3\x81\xae\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xaf\xe3\x80\x81\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xa7\xe8\xa1\x8c\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82" },
	{ TEXT("\n"
		  "\x96\xbe\x93\xfa\x82\xcc\x89\xef\x8b" "c\x82\xcd\x81" "A\x93\x8c\x8b\x9e\x82\xc5\x8ds\x82\xa2\x82\xdc\x82\xb7\x81" "B\n"
		  ""),
		"\xe6\x98\x8e\xe6\x97\xa5\xe3\x81\xae\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xaf\xe3\x80\x81\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xa7\xe8\xa1\x8c\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82" },
	{ TEXT("Content-Type: text/plain; charset=iso-2022-jp\nContent-Transfer-Encoding: base64\n"
		  "\nGyRCTEBGfCROMnE1RCRPISJFbDV+JEc5VCQkJF4kOSEjGyhC\n"),
		"\xe6\x98\x8e\xe6\x97\xa5\xe3\x81\xae\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xaf\xe3\x80\x81\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xa7\xe8\xa1\x8c\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82" },
	{ TEXT("Content-Type: text/plain; charset=utf-8\n"
		  "Content-Transfer-Encoding: quoted-printable\n\nCaf=C3=A9=20=\nau lait"),
		"Caf\xc3\xa9 au lait" },
	{ TEXT("\n> quoted\n> more\nMy answer.\n"),
		"My answer." },
	{ TEXT("\nOn Friday, Alice wrote:\n> quoted\nMy answer.\n"),
		"My answer." },
	{ TEXT("\nHi.\n\nOn Friday, 1 January at 10:00, Alice Liddell\n<alice@example.org> wrote:\n"
		  "\n> quoted\n"),
		"Hi." },
	{ TEXT("\nThis is why:\nno quotation\n"),
		"This is why: no quotation" },
	{ TEXT("\n"
		  "2024\xe5\xb9\xb4" "1\xe6\x9c\x88" "1\xe6\x97\xa5 \xe7\x94\xb0\xe4\xb8\xad\xe3\x81\x95\xe3\x82\x93\xef\xbc\x9a\n"
		  "> \xe5\xbc\x95\xe7\x94\xa8\n\xe8\xbf\x94\xe4\xba\x8b\n"),
		"\xe8\xbf\x94\xe4\xba\x8b" },
	{ TEXT("\n> only\n> quoted\n"),
		"> only > quoted" },
	{ TEXT("\nText.\n-- \nBob\nTel. 1\n"),
		"Text." },
	{ TEXT("\n-- \nBob\n"),
		"Bob" },
	{ TEXT("\nSee below.\n-----Original Message-----\nFrom: a\nold text\n"),
		"See below." },
	{ TEXT("\n-------- Forwarded Message --------\nold text\n"),
		"Forwarded Message -------- old text" },
	{ TEXT("\nTitle\n=====\n\n----------\nText\n"),
		"Title Text" },
	{ TEXT("Content-Type: text/html\n\n"
		  "<p>Dear <b>cust</b>omer,</p><p>we&nbsp;are &lt;here&gt;</p>"),
		"Dear customer, we are <here>" },
	{ TEXT("Content-Type: text/html\n\n"
		  "<head><title>T</title><style>a{b:c}</style></head><body><div>Yes.</div><blockquote>old <blockquote>older</blockquote> old</blockquote> After</body>"),
		"Yes. After" },
	{ TEXT("Content-Type: text/html\n\n"
		  "<p>Sale</p>&zwnj;&#8203;&nbsp;&#847;&zwnj;&#8203;&nbsp;&#847;&zwnj;&#8203;&nbsp;&#847;&zwnj;&#8203;&nbsp;&#847;<p>now</p>"),
		"Sale now" },
	{ TEXT("Content-Type: text/html; charset=iso-2022-jp\n\n"
		  "<p>\x1b$BL@F|$N2q5D$O!\"El5~$G9T$$$^$9!#\x1b(B</p>"),
		"\xe6\x98\x8e\xe6\x97\xa5\xe3\x81\xae\xe4\xbc\x9a\xe8\xad\xb0\xe3\x81\xaf\xe3\x80\x81\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xa7\xe8\xa1\x8c\xe3\x81\x84\xe3\x81\xbe\xe3\x81\x99\xe3\x80\x82" },
	{ TEXT("\nab\xe2\x80\x8b\xc2\xad" "c\xe3\x80\x80" "d\xe2\x80\xae" "e\x07" "f\n"),
		"abc de f" },
	{ TEXT("Content-Type: image/png\n\nxyz"),
		"" },
	{ TEXT("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n"
		  "Content-Disposition: attachment\n\nattached\n--b\nContent-Type: text/x-other\n\n"
		  "other\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\nembedded\n--b\n"
		  "Content-Type: text/plain\n\nshown\n--b--\n"),
		"shown" },
	{ TEXT("Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n"
		  "\n \n--b\nContent-Type: text/html\n\n<i>html</i>\n--b--\n"),
		"html" },
	{ TEXT("Content-Type: multipart/mixed; boundary=b\n\nno parts"),
		"" },
};
enum { ROWS = sizeof rows / sizeof *rows };

/* The preview of a message whose bodies are fed in pieces of so many bytes. */
static struct slice preview_of(struct slice message, size_t step, struct buf *text)
{
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	const struct mime_part *root = mime_parse(message, &parser);

	buf_clear(text);
	for (const struct mime_part *part = preview_part(root, NULL); part && text->n == 0;
		part = preview_part(root, part)) {
		struct preview *preview = preview_new(part);
		struct slice body = slice_head(slice_tail(message, (size_t)part->body_offset),
			(size_t)(part->end_offset - part->body_offset));

		while (body.n > 0 && !preview_feed(preview, slice_head(body, step)))
			body = slice_tail(body, step);

		struct slice found = preview_finish(preview);

		must(buf_add(text, found) == 0);
		preview_free(preview);
	}
	return buf_slice(text);
}

static void test_rows(void)
{
	_cleanup_buf_ struct buf text = BUF(PREVIEW_TEXT_BYTES);

	for (size_t i = 0; i < ROWS; i++)
		for (size_t step = 1; step < 2000; step = step < 9 ? step + 1 : step * 3) {
			struct slice got = preview_of(rows[i].message, step, &text);

			CHECK(slice_equal(got, slice_str(rows[i].want)), "row %zu, step %zu: \"%.*s\"",
				i, step, SLICE_FMT(got));
		}
}

/* A text of n times a unit, and what stands behind. */
static const struct {
	const char *unit;
	size_t n;
	const char *rest;
	size_t want_n;
	const char *want_rest;
} cuts[] = {
	{ "a", 255, "", 255, "" },
	{ "a", 300, "", 256, "" },
	{ "a", 254, " b c", 254, " b" },
	{ "a", 255, " b", 255, "" },
	{ "a", 256, " b", 256, "" },
	{ "\xc3\xa4", 5000, "", 256, "" },
	{ "\xe3\x81\x82", 300, "", 256, "" },
	{ "\xf0\x9f\x98\x80", 300, "", 256, "" },
	{ "a ", 400, "", 128, "" }, /* the 256th would be a blank */
	{ "> ", 5000, "", 128, "" },
};

static void test_cut(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 20), text = BUF(PREVIEW_TEXT_BYTES),
				 want = BUF(1 << 20);

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		buf_clear(&message);
		buf_clear(&want);
		must(buf_add_str(&message, "Content-Type: text/plain; charset=utf-8\n\n") == 0);
		for (size_t n = 0; n < cuts[i].n; n++)
			must(buf_add_str(&message, cuts[i].unit) == 0);
		must(buf_add_str(&message, cuts[i].rest) == 0);
		for (size_t n = 0; n < cuts[i].want_n; n++)
			must(buf_add_str(&want, cuts[i].unit) == 0);
		must(buf_add_str(&want, cuts[i].want_rest) == 0);

		struct slice got = preview_of(buf_slice(&message), 1000, &text);

		CHECK(slice_equal(got, slice_trim(buf_slice(&want))), "row %zu: %zu bytes", i, got.n);
		CHECK(utf8_is_valid(got), "row %zu", i);
	}
}

/* What follows PREVIEW_INPUT_BYTES of style sheet is not looked for. */
static void test_input_limit(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 21), text = BUF(PREVIEW_TEXT_BYTES);

	must(buf_add_str(&message, "Content-Type: text/html\n\n<style>") == 0);
	while (message.n < PREVIEW_INPUT_BYTES + 10000)
		must(buf_add_str(&message, "p { color: red }\n") == 0);
	must(buf_add_str(&message, "</style>late") == 0);
	CU_ASSERT_EQUAL(preview_of(buf_slice(&message), 4096, &text).n, 0);
}

static const struct {
	const char *html, *want, *want_unquoted;
} html_rows[] = {
	{ "", "", NULL },
	{ "plain", "plain", NULL },
	{ "<b>a</b>b", "ab", NULL },
	{ "a<br>b<BR/>c<p class=\"x>y\">d", "a\nb\nc\nd", NULL },
	{ "<td>a</td><td>b</td>", " a  b ", NULL },
	{ "a < b && c > d", "a < b && c > d", NULL },
	{ "a <3 b </ c </3>", "a <3 b </ c </3>", NULL },
	{ "&lt;&gt;&amp;&quot;&apos;", "<>&\"'", NULL },
	{ "&lt&amp&nbsp;&copy &copy;", "<&\xc2\xa0&copy \xc2\xa9", NULL },
	{ "&#65;&#x42;&#X43;&#68 &#x110000;&#0;&#xd800;&#128;",
		"ABCD \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac", NULL },
	{ "&#x1F600;&unknown;&;&#;&#x;&&amp;", "\xf0\x9f\x98\x80&unknown;&;&#;&#x;&&", NULL },
	{ "&averyveryverylongname;", "&averyveryverylongname;", NULL },
	{ "<script>if (a<b && \"</b>\") x='<p>'</script>after", "after", NULL },
	{ "<STYLE type='a>b'>x</style >after", "after", NULL },
	{ "<title>a</titles>b</title>c", "c", NULL },
	{ "<!-- a <b> -- > --->b<!---->c<!-->d", "bcd", NULL },
	{ "<!DOCTYPE html><?xml a?>b<![if !mso]>c<![endif]>", "bc", NULL },
	{ "<a href=x'y>b</a><a href='x>y'>c</a><a '>d", "bcd", NULL },
	{ "<a title = \"a>b\" x>c", "c", NULL },
	{ "<o:p>a</o:p>", "a", NULL },
	{ "a<", "a<", NULL },
	{ "a</", "a</", NULL },
	{ "a<b", "a", NULL },
	{ "a&am", "a&am", NULL },
	{ "a&amp", "a&", NULL },
	{ "<blockquote>a<blockquote>b</blockquote>c</blockquote>d</blockquote>e",
		"\na\nb\nc\nd\ne", "\nd\ne" },
	{ "<script>never closed <p>text", "", NULL },
	{ "\xe3\x81\x82<b>\xe3\x81</b>\x84", "\xe3\x81\x82\xe3\x81\x84", NULL },
};

static void test_html(void)
{
	for (size_t i = 0; i < 2 * (sizeof html_rows / sizeof *html_rows); i++) {
		const char *want = html_rows[i / 2].want;
		struct slice html = slice_str(html_rows[i / 2].html);

		if (i % 2 && html_rows[i / 2].want_unquoted)
			want = html_rows[i / 2].want_unquoted;
		for (size_t at = 0; at <= html.n; at++) {
			_cleanup_buf_ struct buf out = BUF(html.n + 2 * HTML_TEXT_HELD_BYTES);
			struct html_text h = { .skip_quoted = i % 2 };

			CU_ASSERT_EQUAL(html_text_feed(&h, slice_head(html, at), &out), 0);
			CU_ASSERT_EQUAL(html_text_feed(&h, slice_tail(html, at), &out), 0);
			CU_ASSERT_EQUAL(html_text_finish(&h, &out), 0);
			CHECK(slice_equal(buf_slice(&out), slice_str(want)),
				"row %zu, cut at %zu: \"%.*s\"", i / 2, at,
				SLICE_FMT(buf_slice(&out)));
		}
	}
}

static void test_html_no_room(void)
{
	_cleanup_buf_ struct buf out = BUF(HTML_TEXT_HELD_BYTES + 2);
	struct html_text h = { 0 };

	CU_ASSERT_EQUAL(html_text_feed(&h, SLICE("abc"), &out), -ENOBUFS);
	CU_ASSERT_EQUAL(html_text_feed(&h, SLICE("ab"), &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("ab")));
}

static const struct unit_test tests[] = {
	{ "the preview of messages", test_rows },
	{ "cut at 256 characters", test_cut },
	{ "a style sheet without end", test_input_limit },
	{ "text of HTML", test_html },
	{ "HTML without room", test_html_no_room },
};

UNIT_MAIN("preview", tests)
