/* unit.h - the frame of a unit test program: a table of tests, run by CUnit, counted on the last line. */
#pragma once

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* Say what a failing row of a table was: CHECK(cond, "row %zu", i). */
#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		int _ok = !!(cond);                                                                \
		if (!_ok) {                                                                        \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #cond);                          \
			printf(__VA_ARGS__);                                                       \
			printf("\n");                                                              \
		}                                                                                  \
		CU_assertImplementation(_ok, __LINE__, #cond, __FILE__, "", CU_FALSE);             \
	} while (0)

static inline void unit_report(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
	(void)suite;
	for (CU_pFailureRecord f = failure; f; f = f->pNext)
		printf("%s:%u: %s: %s\n", f->strFileName, f->uiLineNumber, test->pName, f->strCondition);
}

/* Run all tests; a test with any failed assertion counts as failed. Returns the exit status. */
static inline int unit_run(const char *name, const struct unit_test *tests, size_t n)
{
	CU_initialize_registry();

	CU_pSuite suite = CU_add_suite(name, NULL, NULL);

	for (size_t i = 0; i < n; i++)
		CU_add_test(suite, tests[i].name, tests[i].run);
	CU_set_test_complete_handler(unit_report);
	CU_run_all_tests();

	unsigned failed = CU_get_number_of_tests_failed();
	unsigned ran = CU_get_number_of_tests_run();

	CU_cleanup_registry();
	printf("%s: %u passed, %u failed\n", name, ran - failed, failed);
	return failed || ran != n;
}

#define UNIT_MAIN(name, tests)                                                                     \
	int main(void)                                                                             \
	{                                                                                          \
		return unit_run(name, tests, sizeof tests / sizeof *tests);                        \
	}
