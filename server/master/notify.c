#include "server/master/notify.h"

#include "base/clock.h"
#include "server/master/master.h"

#include <systemd/sd-daemon.h>

enum { PERIOD_SEC = 10 };

void notify_init(struct notify *notify)
{
	*notify = (struct notify){ 0 };
	if (sd_watchdog_enabled(0, &notify->watchdog_usec) <= 0)
		notify->watchdog_usec = 0;
}

void notify_ready(struct master *m)
{
	if (m->stop.state != STOP_NOT || !m->configuration)
		return;
	m->notify.ready = true;
	sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_monotonic_usec());
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void notify_status(struct master *m)
{
	char text[sizeof m->notify.status];
	const struct reload *r = &m->reload;

	if (m->stop.state != STOP_NOT || !m->accepting)
		return;
	snprintf(text, sizeof text, "STATUS=Generation %llu accepts; %zu connections logged in%s",
		(unsigned long long)m->accepting->number, m->n_adopted,
		r->rounds > 0 && !r->last_ok ? "; the last reload FAILED, see the log or `restantectl status'" : "");
	if (strcmp(text, m->notify.status) == 0)
		return;
	memcpy(m->notify.status, text, sizeof text);
	sd_notify(0, text);
}

uint64_t notify_period_usec(const struct notify *notify)
{
	uint64_t period_usec = PERIOD_SEC * USEC_PER_SEC;

	return notify->watchdog_usec > 0 && notify->watchdog_usec / 3 < period_usec ? notify->watchdog_usec / 3 : period_usec;
}

void notify_alive(const struct notify *notify)
{
	if (notify->watchdog_usec > 0)
		sd_notify(0, "WATCHDOG=1");
}
