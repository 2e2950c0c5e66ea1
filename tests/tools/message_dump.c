/*
 * message_dump.c - what we make of message files: one line of JSON a file, for the comparison with other servers.
 *
 * message_dump FILE...          {"envelope": ..., "body": ..., "bodystructure": ..., "size": ..., "sections": {...}}
 * message_dump --bench FILE...  reads each file many times over; prints MB/s of parsing, and messages a second.
 *
 * Strings hold bytes as Latin-1 characters.
 */
#include "maildir/message/bodystructure.h"
#include "maildir/message/crlf.h"
#include "maildir/message/envelope.h"
#include "maildir/message/header.h"
#include "maildir/message/section.h"

#include <stdio.h>
#include <time.h>

enum { OUT_BYTES = 256 * 1024 * 1024, SECTIONS = 400, DEPTH = 20 };

static struct slice read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t cap = 65536, n = 0;
	char *p = malloc(cap);

	while (f && p) {
		size_t got = fread(p + n, 1, cap - n, f);

		if (got == 0)
			break;
		n += got;
		if (n == cap)
			p = realloc(p, cap *= 2);
	}
	if (!f || !p) {
		fprintf(stderr, "message_dump: cannot read %s\n", path);
		exit(2);
	}
	fclose(f);
	return slice_from(p, n);
}

static void print_json(struct slice s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_stretch(struct slice message, const struct stretch *stretch)
{
	struct buf out = BUF(OUT_BYTES);
	bool cr = false;
	struct slice raw = { message.p + stretch->offset, stretch->end - stretch->offset };

	if (crlf_append(raw, true, &cr, &out) < 0 || out.n != stretch->octets) {
		fprintf(stderr, "message_dump: a section has %zu octets, not %llu\n", out.n,
			(unsigned long long)stretch->octets);
		exit(2);
	}
	print_json(buf_slice(&out));
	buf_done(&out);
}

struct dump {
	struct slice message;
	const struct mime_part *root;
	unsigned left;
	bool first;
};

static void print_section(struct dump *d, const uint32_t *numbers, size_t n, enum section_kind kind)
{
	static const char *const names[] = {
		[SECTION_ALL] = "", [SECTION_HEADER] = "HEADER", [SECTION_TEXT] = "TEXT", [SECTION_MIME] = "MIME"
	};
	struct stretch stretch;

	if (d->left == 0)
		return;
	d->left--;
	printf("%s\"", d->first ? "" : ", ");
	d->first = false;
	for (size_t i = 0; i < n; i++)
		printf("%s%u", i > 0 ? "." : "", numbers[i]);
	printf("%s%s\": ", n > 0 && kind != SECTION_ALL ? "." : "", names[kind]);
	if (section_stretch(d->root, numbers, n, kind, &stretch))
		print_stretch(d->message, &stretch);
	else
		printf("null");
}

/* All sections that exist at and below a number, and the first that does not. */
static void print_sections(struct dump *d, uint32_t *numbers, size_t n)
{
	enum section_place place;
	bool there = mime_find(d->root, numbers, n, &place) != NULL;

	print_section(d, numbers, n, SECTION_ALL);
	if (!there)
		return;
	print_section(d, numbers, n, SECTION_HEADER);
	print_section(d, numbers, n, SECTION_TEXT);
	if (n > 0)
		print_section(d, numbers, n, SECTION_MIME);
	for (uint32_t i = 1; n < DEPTH && d->left > 0; i++) {
		numbers[n] = i;
		if (!mime_find(d->root, numbers, n + 1, &place)) {
			print_section(d, numbers, n + 1, SECTION_ALL);
			break;
		}
		print_sections(d, numbers, n + 1);
	}
}

static void print_formatted(const char *name, int r, struct buf *out)
{
	if (r < 0) {
		fprintf(stderr, "message_dump: %s: does not fit\n", name);
		exit(2);
	}
	printf("\"%s\": ", name);
	print_json(buf_slice(out));
	printf(", ");
	buf_clear(out);
}

static void dump(const char *path)
{
	static const struct slice some[] = { SLICE("subject"), SLICE("From"), SLICE("CONTENT-TYPE") };
	struct mime_parser *parser;
	struct dump d = { .message = read_file(path), .left = SECTIONS, .first = true };
	struct buf out = BUF(OUT_BYTES);
	uint32_t numbers[DEPTH + 1];

	d.root = mime_parse(d.message, &parser);

	struct slice header = { d.message.p, d.root->body_offset };

	printf("{");
	print_formatted("envelope", envelope_format(d.root->envelope_fields, &out), &out);
	print_formatted("body", bodystructure_format(d.root, false, &out), &out);
	print_formatted("bodystructure", bodystructure_format(d.root, true, &out), &out);
	print_formatted("fields", header_select(header, some, 3, false, true, &out), &out);
	print_formatted("fields_not", header_select(header, some, 3, true, true, &out), &out);
	printf("\"size\": %llu, \"sections\": {", (unsigned long long)mime_octets(d.root));
	print_sections(&d, numbers, 0);
	printf("}}\n");
	buf_done(&out);
	mime_parser_free(parser);
	free((char *)(uintptr_t)d.message.p);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bench(const char *path)
{
	struct slice message = read_file(path);
	struct buf out = BUF(OUT_BYTES);
	double start = seconds(), took;
	unsigned n = 0;

	do {
		struct mime_parser *parser;
		const struct mime_part *root = mime_parse(message, &parser);

		buf_clear(&out);
		if (envelope_format(root->envelope_fields, &out) < 0 || bodystructure_format(root, true, &out) < 0)
			exit(2);
		mime_parser_free(parser);
		n++;
		took = seconds() - start;
	} while (took < 0.5);
	printf("%s: %zu bytes, %.0f MB/s, %.2f us a message\n", path, message.n,
		(double)message.n * n / took / 1e6, took / n * 1e6);
	buf_done(&out);
	free((char *)(uintptr_t)message.p);
}

int main(int argc, char **argv)
{
	bool benching = argc > 1 && strcmp(argv[1], "--bench") == 0;

	for (int i = 1 + benching; i < argc; i++)
		if (benching)
			bench(argv[i]);
		else
			dump(argv[i]);
	return 0;
}
