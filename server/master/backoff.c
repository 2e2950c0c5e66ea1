#include "server/master/backoff.h"

#include "base/clock.h"

void backoff_died(struct backoff *backoff, uint64_t lived_usec, uint64_t now_usec)
{
	if (lived_usec >= BACKOFF_YOUNG_SEC * USEC_PER_SEC) {
		*backoff = (struct backoff){ 0 };
		return;
	}
	if (now_usec < backoff->until_usec)
		return;

	/* Nothing died young for longer than the longest wait: that trouble is over. */
	if (now_usec - backoff->until_usec > BACKOFF_MAX_MSEC * USEC_PER_MSEC)
		backoff->delay_usec = 0;
	backoff->delay_usec = backoff->delay_usec == 0 ? BACKOFF_MIN_MSEC * USEC_PER_MSEC : backoff->delay_usec * 2;
	if (backoff->delay_usec > BACKOFF_MAX_MSEC * USEC_PER_MSEC)
		backoff->delay_usec = BACKOFF_MAX_MSEC * USEC_PER_MSEC;
	backoff->until_usec = now_usec + backoff->delay_usec;
}
