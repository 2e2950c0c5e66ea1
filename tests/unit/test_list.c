#include "maildir/list.h"
#include "maildir/uid_array.h"
#include "tests/unit/unit.h"

enum { MANY = 20000 };

static struct slice base_of(uint32_t i, char text[32])
{
	return slice_from(text, (size_t)snprintf(text, 32, "%u.M%uP1.host", i, i * 7));
}

static bool is_odd(void *arg, size_t number)
{
	const struct list *list = arg;

	return list->messages[number].msg_uid % 2 == 1;
}

static void test_many(void)
{
	struct list list;
	char text[32];

	list_init(&list);
	for (uint32_t i = 1; i <= MANY; i++) {
		CU_ASSERT_EQUAL_FATAL(list_add(&list, i * 2 + i % 2, base_of(i, text),
					      i % 3 ? SLICE("") : SLICE("W5")),
			i - 1);
		if (i == MANY / 2 || i > MANY - 20) /* sorted in, and put in one by one */
			list_index(&list);
	}
	list_index(&list);
	for (uint32_t i = 1; i <= MANY; i++)
		CU_ASSERT_EQUAL_FATAL(list_find_base(&list, base_of(i, text)), (ssize_t)i - 1);
	CU_ASSERT_EQUAL(list_find_base(&list, SLICE("none")), -1);
	list.n_shown = list.n;
	list_remove_if(&list, is_odd, &list);
	CU_ASSERT_EQUAL(list.n, MANY / 2);
	CU_ASSERT_EQUAL(list.n_shown, MANY / 2);
	for (uint32_t i = 1; i <= MANY; i++) {
		ssize_t number = list_find_base(&list, base_of(i, text));

		CU_ASSERT_EQUAL_FATAL(number >= 0, i % 2 == 0);
		if (number < 0)
			continue;
		CU_ASSERT_EQUAL(number, list_find_uid(&list, i * 2));
		CU_ASSERT(slice_equal(list_base(&list, (size_t)number), base_of(i, text)));
		CU_ASSERT_EQUAL(list_fields(&list, (size_t)number).n, i % 3 ? 0 : 2);
	}
	CU_ASSERT_EQUAL(list_find_uid(&list, 5), -1);
	CU_ASSERT_EQUAL(list_lower_bound(&list, 0), 0);
	CU_ASSERT_EQUAL(list_lower_bound(&list, UINT32_MAX), list.n);
	list_truncate(&list, 10);
	CU_ASSERT_EQUAL(list.n, 10);
	CU_ASSERT_EQUAL(list_find_base(&list, base_of(4, text)), 1);
	CU_ASSERT_EQUAL(list_find_base(&list, base_of(400, text)), -1);
	list_done(&list);
}

static size_t count_below(const uint32_t *uids, size_t n, uint64_t msg_uid)
{
	size_t count = 0;

	while (count < n && uids[count] < msg_uid)
		count++;
	return count;
}

/* Dense, with gaps at either end and between, at both ends of what a UID can be. */
static void test_search_by_uid(void)
{
	static const uint32_t UIDS[][6] = {
		{ 1, 2, 3, 4, 5, 6 },
		{ 3, 4, 5, 100, 101, 102 },
		{ 1, 100, 101, 102, 103, 104 },
		{ 7, 8, 9, 10, 11, 130 },
		{ 10, 20, 30, 40, 50, 60 },
		{ 1, UINT32_MAX - 5, UINT32_MAX - 4, UINT32_MAX - 3, UINT32_MAX - 2, UINT32_MAX - 1 },
	};
	char text[32];

	for (size_t t = 0; t < sizeof UIDS / sizeof *UIDS; t++)
		for (size_t n = 0; n <= 6; n++) {
			struct uid_array *array = uid_array_new(n);
			struct list list;

			list_init(&list);
			for (size_t i = 0; i < n; i++) {
				array->uids[i] = UIDS[t][i];
				CU_ASSERT_EQUAL(list_add(&list, UIDS[t][i], base_of((uint32_t)i, text), SLICE("")), i);
			}
			for (uint32_t uid = 0; uid < 140; uid++)
				for (int end = 0; end < 2; end++) {
					uint32_t u = end ? UINT32_MAX - uid : uid;

					CU_ASSERT_EQUAL(list_lower_bound(&list, u), count_below(UIDS[t], n, u));
					CU_ASSERT_EQUAL(uid_array_count_to(array, u),
						count_below(UIDS[t], n, (uint64_t)u + 1));
				}
			list_done(&list);
			uid_array_unref(array);
		}
}

static void test_common(void)
{
	enum { N = 5000 };
	struct uid_array *a = uid_array_new(N), *b = uid_array_new(N - 1);

	for (uint32_t i = 0; i < N; i++)
		a->uids[i] = i + 1;
	memcpy(b->uids, a->uids, b->n * sizeof *b->uids);
	CU_ASSERT_EQUAL(uid_array_common(a, b), N - 1);
	CU_ASSERT_EQUAL(uid_array_common(b, a), N - 1);
	for (size_t i = 0; i < b->n; i += 7) {
		b->uids[i] ^= 1U << 31;
		CU_ASSERT_EQUAL(uid_array_common(a, b), i);
		b->uids[i] ^= 1U << 31;
	}
	uid_array_unref(a);
	uid_array_unref(b);
}

/* The file of message 0 has the name with infos[which], and no other. */
static void check_has_name(const struct list *list, const char *const infos[], size_t n, size_t which)
{
	static const char *const others[] = { "1.", "1.a:2", "1.b:2,S", "1.a:2,s", "1.a:2,SS", "1.a:2,XS", "" };
	char name[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "1.a%s", infos[i]);
		CHECK(list_has_file_name(list, 0, slice_str(name)) == (i == which), "%s: %s", infos[which], name);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(!list_has_file_name(list, 0, slice_str(others[i])), "%s: %s", infos[which], others[i]);
}

static void test_names(void)
{
	static const char *const INFOS[] = { "", ":2,", ":2,S", ":2,SX", ":2,ba", ":1,x",
		":2,S,more", "::" };
	struct list list;

	list_init(&list);
	list_add(&list, 1, SLICE("1.a"), SLICE(""));
	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof INFOS / sizeof *INFOS; i++) {
			_cleanup_buf_ struct buf name = BUF(255);
			char want[64];

			snprintf(want, sizeof want, "1.a%s", INFOS[i]);
			list_set_info(&list, 0, slice_str(INFOS[i]));
			CU_ASSERT_EQUAL(list_file_name(&list, 0, &name), 0);
			CHECK(slice_equal(buf_slice(&name), slice_str(want)), "%s: %.*s", want,
				SLICE_FMT(buf_slice(&name)));
			check_has_name(&list, INFOS, sizeof INFOS / sizeof *INFOS, i);
			list_set_fields(&list, 0, i % 2 ? SLICE("W1 O2") : SLICE("W55"));
			CU_ASSERT_EQUAL(list_fields(&list, 0).n, i % 2 ? 5 : 3);
		}
	}
	list_done(&list);
}

static void test_duplicates(void)
{
	struct list list;

	list_init(&list);
	for (uint32_t i = 1; i <= 100; i++)
		list_add(&list, i,
			i == 30 || i == 60 || i == 90 ? SLICE("twice") : slice_from(&i, 4),
			SLICE(""));
	list_index(&list);
	list_orphan_duplicates(&list, 0);
	for (size_t i = 0; i < 100; i++)
		CHECK(list.entries[i].orphan == (i == 29 || i == 59), "%zu", i);
	CU_ASSERT_EQUAL(list_find_base(&list, SLICE("twice")), 89);
	list_done(&list);
}

static const struct unit_test TESTS[] = {
	{ "many messages", test_many },
	{ "found by UID", test_search_by_uid },
	{ "what two lists of UIDs share", test_common },
	{ "names of files", test_names },
	{ "one name twice", test_duplicates },
};

UNIT_MAIN("test_list", TESTS)
