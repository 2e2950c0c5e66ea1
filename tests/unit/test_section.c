#include "maildir/message/section.h"

#include "tests/unit/unit.h"

static const struct slice message = SLICE("Subject: top\n"
	"Content-Type: multipart/mixed; boundary=o\n\n"
	"--o\n\none\n"
	"--o\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/x; boundary=i\n\n--i\n\n21\n--i\n\n22\n--i--\n"
	"--o\nContent-Type: multipart/y; boundary=z\n\nempty\n"
	"--o\nContent-Type: message/rfc822\n\nSubject: plain\n\ntext\n"
	"--o--\n");

static const struct {
	const char *numbers;
	enum section_kind kind;
	const char *want; /* how the stretch begins; NULL: there is none */
	size_t octets;    /* 0: not compared */
} rows[] = {
	{ "", SECTION_ALL, "Subject: top", 0 },
	{ "", SECTION_HEADER, "Subject: top", 59 },
	{ "", SECTION_TEXT, "--o\n\none", 0 },
	{ "", SECTION_MIME, NULL, 0 },
	{ "1", SECTION_ALL, "one", 3 },
	{ "1", SECTION_MIME, "\none", 2 },
	{ "1", SECTION_HEADER, NULL, 0 },
	{ "1", SECTION_TEXT, NULL, 0 },
	{ "1.1", SECTION_ALL, NULL, 0 },
	{ "0", SECTION_ALL, NULL, 0 },
	{ "2", SECTION_ALL, "Subject: in", 0 },
	{ "2", SECTION_MIME, "Content-Type: message/rfc822", 32 },
	{ "2", SECTION_HEADER, "Subject: in", 54 },
	{ "2", SECTION_TEXT, "--i\n\n21", 0 },
	{ "2.1", SECTION_ALL, "21", 2 },
	{ "2.1", SECTION_MIME, "\n21", 2 },
	{ "2.2", SECTION_ALL, "22", 2 },
	{ "2.3", SECTION_ALL, NULL, 0 },
	{ "2.1.1", SECTION_ALL, NULL, 0 },
	{ "3", SECTION_ALL, "empty", 5 },
	{ "3.1", SECTION_ALL, "", 0 },
	{ "3.1", SECTION_MIME, "", 0 },
	{ "3.1", SECTION_TEXT, NULL, 0 },
	{ "3.2", SECTION_ALL, NULL, 0 },
	{ "3.1.1", SECTION_ALL, NULL, 0 },
	{ "4", SECTION_HEADER, "Subject: plain", 18 },
	{ "4.1", SECTION_ALL, "text", 4 },
	{ "4.1", SECTION_MIME, "Subject: plain", 18 },
	{ "4.1", SECTION_HEADER, NULL, 0 },
	{ "4.1.1", SECTION_ALL, NULL, 0 },
	{ "4.2", SECTION_ALL, NULL, 0 },
	{ "5", SECTION_ALL, NULL, 0 },
	{ "4294967295", SECTION_ALL, NULL, 0 },
};

static size_t read_numbers(const char *text, uint32_t *ret_numbers)
{
	struct slice s = slice_str(text), item;
	size_t n = 0;
	uint64_t value;

	while (slice_split(&s, '.', &item) && slice_number(item, UINT32_MAX, &value))
		ret_numbers[n++] = (uint32_t)value;
	return n;
}

static void test_stretches(void)
{
	struct mime_parser *parser;
	const struct mime_part *root = mime_parse(message, &parser);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t numbers[10];
		size_t n = read_numbers(rows[i].numbers, numbers);
		struct stretch stretch = { 0 };
		bool there = section_stretch(root, numbers, n, rows[i].kind, &stretch);

		CHECK(there == (rows[i].want != NULL), "row %zu: %s", i, rows[i].numbers);
		if (!there || !rows[i].want)
			continue;
		CHECK(slice_starts_with(slice_tail(message, stretch.offset), slice_str(rows[i].want)), "row %zu", i);
		CHECK(stretch.octets >= stretch.end - stretch.offset, "row %zu", i);
		CHECK(rows[i].octets == 0 || stretch.octets == rows[i].octets, "row %zu: %llu", i,
			(unsigned long long)stretch.octets);
	}
	mime_parser_free(parser);
}

/* A message that is no multipart: part 1 is its body. */
static void test_single(void)
{
	struct mime_parser *parser;
	const struct mime_part *root = mime_parse(SLICE("Subject: x\n\nbody"), &parser);
	uint32_t one[] = { 1, 1 }, two[] = { 2 };
	struct stretch stretch;

	CU_ASSERT(section_stretch(root, one, 1, SECTION_ALL, &stretch) && stretch.octets == 4);
	CU_ASSERT(section_stretch(root, one, 1, SECTION_MIME, &stretch) && stretch.octets == 14);
	CU_ASSERT(!section_stretch(root, one, 2, SECTION_ALL, &stretch));
	CU_ASSERT(!section_stretch(root, two, 1, SECTION_ALL, &stretch));
	mime_parser_free(parser);

	root = mime_parse(SLICE("Content-Type: message/rfc822\n\nSubject: y\n\ninner"), &parser);
	CU_ASSERT(section_stretch(root, one, 1, SECTION_HEADER, &stretch) && stretch.octets == 14);
	CU_ASSERT(section_stretch(root, one, 2, SECTION_ALL, &stretch) && stretch.octets == 5);
	mime_parser_free(parser);
}

static const struct unit_test tests[] = {
	{ "stretches", test_stretches },
	{ "single", test_single },
};

UNIT_MAIN("section", tests)
