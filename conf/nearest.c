#include "conf/nearest.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t nearest_distance(struct slice a, struct slice b)
{
	/* d[i][j]: from the first i bytes of a to the first j bytes of b. */
	size_t d[NEAREST_MAX_BYTES + 1][NEAREST_MAX_BYTES + 1];

	if (a.n > NEAREST_MAX_BYTES || b.n > NEAREST_MAX_BYTES)
		return SIZE_MAX;
	for (size_t i = 0; i <= a.n; i++)
		for (size_t j = 0; j <= b.n; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}

			char x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);

			d[i][j] = least(
				least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) &&
				ascii_lower(a.p[i - 2]) == y)
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[a.n][b.n];
}

bool nearest_is_slip(struct slice typed, size_t distance)
{
	return distance < typed.n && distance <= (typed.n <= 6 ? 2 : typed.n / 3);
}
