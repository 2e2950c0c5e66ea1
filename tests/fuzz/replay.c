/* replay.c - runs a fuzz target over every file of the directories given, for `make check`. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");

	if (!f || fstat(fileno(f), &st) < 0)
		return -1;

	/* Exactly as large as the input: a read beyond the end shows. */
	uint8_t *bytes = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	size_t n = fread(bytes, 1, (size_t)st.st_size, f);

	fclose(f);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		for (struct dirent *e; dir && (e = readdir(dir));) {
			char path[4096];

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
			if (replay_file(path) == 0)
				passed++;
			else
				failed++;
		}
		if (dir)
			closedir(dir);
	}
	if (passed == 0)
		failed++; /* an empty corpus is a mistake */
	printf("%s: %u passed, %u failed\n", argv[0], passed, failed);
	return failed > 0;
}
