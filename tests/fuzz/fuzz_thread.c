/* fuzz_thread.c - trees of THREAD from any references: each message once, and parentheses that fit. */
#include "base/must.h"
#include "server/imap/thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { REFERENCES = 8 };

/* A message: a byte each for id, subject, date, arrival and the number of references, which follow. */
static bool add_message(struct thread *thread, struct slice *in, uint32_t number)
{
	uint64_t references[REFERENCES];
	const unsigned char *p = (const unsigned char *)in->p;

	if (in->n < 5)
		return false;

	struct thread_message message = { .number = number,
		.message_id = p[0],
		.subject = p[1] & 15,
		.is_reply = p[1] & 16,
		.sent = p[2],
		.arrival = p[3],
		.references = references,
		.references_n = p[4] % REFERENCES };

	*in = slice_tail(*in, 5);
	if (message.references_n > in->n)
		message.references_n = in->n;
	for (size_t i = 0; i < message.references_n; i++)
		references[i] = 1 + (uint64_t)(unsigned char)in->p[i];
	*in = slice_tail(*in, message.references_n);
	return thread_add(thread, &message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;

	struct slice in = slice_from(bytes + 1, n - 1);
	struct thread *thread = thread_new((enum thread_algorithm)(bytes[0] % 3));
	uint32_t messages = 0, shown = 0, number, depth = 0;
	uint64_t sum = 0;
	enum thread_token token;

	while (add_message(thread, &in, messages + 1))
		sum += ++messages;
	for (size_t moves = 10; !thread_build(thread, &moves); moves = 10)
		;
	while ((token = thread_next(thread, &number)) != THREAD_END) {
		must(token != THREAD_CLOSE || depth > 0);
		depth += token == THREAD_OPEN ? 1 : token == THREAD_CLOSE ? UINT32_MAX : 0;
		if (token != THREAD_NUMBER)
			continue;
		must(depth > 0 && number >= 1 && number <= messages);
		shown++;
		sum -= number;
	}
	must(depth == 0 && shown == messages && sum == 0);
	thread_free(thread);
	return 0;
}
