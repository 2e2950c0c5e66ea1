#include "server/session/schedule.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/watch.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <utlist.h>

/* A delivery is several directory events: look once, after the last. */
static const double settle_seconds = 0.02;
/* Where the kernel gives no watch, or does not tell all: over NFS, or when its watches are used up. */
static const double poll_seconds = 20;

struct place {
	struct place *prev, *next;
	struct schedule *schedule;
	struct client *client;
	ev_io io;
	ev_timer timer;
	uint64_t wake_usec; /* what timer is set to; UINT64_MAX: not running */
	bool is_runnable, was_idling;
};

struct schedule {
	struct schedule_settings settings;
	struct store *store;
	uint64_t seen_changes;
	struct place *places;
	size_t n;
	ev_prepare round;    /* runs who has work, before the loop waits */
	ev_idle not_waiting; /* active while somebody has work left: the loop then only looks */
	ev_io watch;         /* of the store's directories */
	ev_timer settle, poll;
	ev_timer rest; /* the store has something to write when nothing more happens */
	bool watch_failed; /* and was logged */
	bool one_left;     /* perhaps the last one in IDLE */
};

static void remove_place(struct place *place)
{
	struct schedule *schedule = place->schedule;
	uint64_t login_id = client_facts(place->client, 0).login_id;

	/* Out of the loop before the descriptor is closed: copies of it may live on in the front. */
	ev_io_stop(schedule->settings.loop, &place->io);
	ev_timer_stop(schedule->settings.loop, &place->timer);
	DL_DELETE(schedule->places, place);
	schedule->n--;
	schedule->one_left = true;
	client_free(place->client);
	free(place);
	schedule->settings.on_over(schedule->settings.arg, login_id);
}

static void set_events(struct place *place, int events)
{
	struct ev_loop *loop = place->schedule->settings.loop;

	if (ev_is_active(&place->io) ? (place->io.events & (EV_READ | EV_WRITE)) == events
				     : events == 0)
		return;
	ev_io_stop(loop, &place->io);
	ev_io_set(&place->io, client_fd(place->client), events);
	if (events)
		ev_io_start(loop, &place->io);
}

static void set_timer(struct place *place, uint64_t wake_usec)
{
	struct ev_loop *loop = place->schedule->settings.loop;
	uint64_t now_usec = clock_monotonic_usec();

	if (wake_usec == place->wake_usec)
		return;
	place->wake_usec = wake_usec;
	ev_timer_stop(loop, &place->timer);
	if (wake_usec == UINT64_MAX)
		return;
	ev_timer_set(&place->timer,
		wake_usec > now_usec ? (double)(wake_usec - now_usec) / USEC_PER_SEC : 0, 0);
	ev_timer_start(loop, &place->timer);
}

/* Do what a connection wants now. It may be gone afterwards. */
static void apply(struct place *place)
{
	struct client_wants wants = client_wants(place->client);

	if (wants.over) {
		remove_place(place);
		return;
	}
	set_events(place, (wants.read ? EV_READ : 0) | (wants.write ? EV_WRITE : 0));
	set_timer(place, wants.wake_usec);
	place->is_runnable = wants.run;
}

static void on_channel(struct ev_loop *loop, ev_io *io, int events)
{
	struct place *place = io->data;
	uint64_t now_usec = clock_monotonic_usec();

	(void)loop;
	if (events & EV_READ)
		client_read(place->client, now_usec);
	if (events & EV_WRITE)
		client_write(place->client, now_usec);
	apply(place);
}

/* Something is due: running the connection finds out what. */
static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct place *place = timer->data;

	(void)loop;
	(void)events;
	place->wake_usec = UINT64_MAX;
	place->is_runnable = true;
}

static void poke_all_but(struct schedule *schedule, const struct place *except)
{
	struct place *place;

	DL_FOREACH(schedule->places, place)
	{
		if (place == except)
			continue;
		client_poke(place->client);
		if (client_wants(place->client).run)
			place->is_runnable = true;
	}
}

/* Tell the others when a step changed a mailbox. */
static void notice_changes(struct schedule *schedule, const struct place *place)
{
	uint64_t changes = schedule->store ? store_change_count(schedule->store) : 0;

	if (changes == schedule->seen_changes)
		return;
	schedule->seen_changes = changes;
	poke_all_but(schedule, place);
}

/* The directories, too, are watched from the moment that somebody idles. */
static void start_watching(struct schedule *schedule)
{
	struct ev_loop *loop = schedule->settings.loop;
	int fd = store_watch(schedule->store);

	if (fd >= 0) {
		if (ev_is_active(&schedule->settle) ||
			(ev_is_active(&schedule->watch) && schedule->watch.fd == fd))
			return;
		ev_io_stop(loop, &schedule->watch);
		ev_io_set(&schedule->watch, fd, EV_READ);
		ev_io_start(loop, &schedule->watch);
		/* The client knows already that it idles: what came before the watch is looked for once. */
		poke_all_but(schedule, NULL);
		return;
	}
	if (!schedule->watch_failed)
		log_line(schedule->settings.log, LOG_PRIORITY_WARNING,
			"cannot watch mail directories: %s; looking every %d s instead "
			"(fs.inotify.max_user_instances, max_user_watches)",
			strerror(-fd), (int)poll_seconds);
	schedule->watch_failed = true;
}

/* Whether the watch tells all changes with what is open and watched now. */
static void follow_polling(struct schedule *schedule)
{
	struct ev_loop *loop = schedule->settings.loop;
	bool must = (!ev_is_active(&schedule->watch) && !ev_is_active(&schedule->settle)) ||
		    store_must_poll(schedule->store);

	if (!must)
		ev_timer_stop(loop, &schedule->poll);
	else if (!ev_is_active(&schedule->poll))
		ev_timer_again(loop, &schedule->poll);
}

static void stop_watching(struct schedule *schedule)
{
	ev_io_stop(schedule->settings.loop, &schedule->watch);
	ev_timer_stop(schedule->settings.loop, &schedule->settle);
	ev_timer_stop(schedule->settings.loop, &schedule->poll);
}

static void follow_idling(struct schedule *schedule)
{
	bool any = false, more = false;
	struct place *place;

	DL_FOREACH(schedule->places, place)
	{
		bool is_idling = client_facts(place->client, 0).is_idling;

		any |= is_idling;
		more |= is_idling && !place->was_idling;
		place->was_idling = is_idling;
	}
	if (more)
		start_watching(schedule);
	else if (!any)
		stop_watching(schedule);
	if (any)
		follow_polling(schedule);
}

static void on_watch(struct ev_loop *loop, ev_io *io, int events)
{
	struct schedule *schedule = io->data;

	(void)events;
	ev_io_stop(loop, io);
	ev_timer_set(&schedule->settle, settle_seconds, 0);
	ev_timer_start(loop, &schedule->settle);
}

static void on_settled(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct schedule *schedule = timer->data;

	(void)events;
	store_watch_drain(schedule->store);
	poke_all_but(schedule, NULL);
	ev_io_start(loop, &schedule->watch);
}

static void on_poll(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	poke_all_but(timer->data, NULL);
}

/* While nobody idles nobody waits for events, but a mailbox that was once watched goes by them. */
static void take_unwaited_events(struct schedule *schedule)
{
	if (schedule->store && !ev_is_active(&schedule->watch) && !ev_is_active(&schedule->settle))
		store_watch_drain(schedule->store);
}

static void run_place(struct schedule *schedule, struct place *place)
{
	uint64_t commands;

	take_unwaited_events(schedule);
	commands = client_run(place->client, clock_monotonic_usec());
	if (commands > 0)
		status_add(schedule->settings.status, STATUS_COMMANDS, (int64_t)commands);
	place->is_runnable = false;
	notice_changes(schedule, place);
	apply(place);
}

/* Between time slices: what the store keeps for later may be due. It may find changes by others, which all are told. */
static void rest_store(struct schedule *schedule)
{
	uint64_t again_usec = schedule->store ? store_rest(schedule->store) : UINT64_MAX;

	ev_timer_stop(schedule->settings.loop, &schedule->rest);
	if (again_usec != UINT64_MAX) {
		ev_timer_set(&schedule->rest, (double)again_usec / USEC_PER_SEC, 0);
		ev_timer_start(schedule->settings.loop, &schedule->rest);
	}
	notice_changes(schedule, NULL);
}

static void on_rest(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	rest_store(timer->data);
}

/* One time slice for each that has work. */
static void on_round(struct ev_loop *loop, ev_prepare *round, int events)
{
	struct schedule *schedule = round->data;
	struct place *place, *next;
	bool any_ran = false, any_left = false;

	(void)events;
	DL_FOREACH_SAFE(schedule->places, place, next)
	{
		if (place->is_runnable) {
			any_ran = true;
			run_place(schedule, place);
		}
	}
	if (any_ran || schedule->one_left) {
		follow_idling(schedule);
		rest_store(schedule);
	}
	schedule->one_left = false;
	DL_FOREACH(schedule->places, place)
	{
		any_left |= place->is_runnable;
	}
	if (any_left)
		ev_idle_start(loop, &schedule->not_waiting);
	else
		ev_idle_stop(loop, &schedule->not_waiting);
}

static void on_not_waiting(struct ev_loop *loop, ev_idle *idle, int events)
{
	(void)loop;
	(void)idle;
	(void)events;
}

struct schedule *schedule_new(const struct schedule_settings *settings)
{
	struct schedule *schedule = calloc(1, sizeof *schedule);

	must(schedule != NULL);
	schedule->settings = *settings;
	ev_prepare_init(&schedule->round, on_round);
	ev_idle_init(&schedule->not_waiting, on_not_waiting);
	ev_io_init(&schedule->watch, on_watch, -1, EV_READ);
	ev_timer_init(&schedule->settle, on_settled, settle_seconds, 0);
	ev_timer_init(&schedule->poll, on_poll, poll_seconds, poll_seconds);
	ev_timer_init(&schedule->rest, on_rest, 0, 0);
	schedule->rest.data = schedule;
	schedule->round.data = schedule->watch.data = schedule->settle.data = schedule->poll.data =
		schedule;
	ev_prepare_start(settings->loop, &schedule->round);
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	struct place *place, *next;

	stop_watching(schedule);
	ev_timer_stop(schedule->settings.loop, &schedule->rest);
	DL_FOREACH_SAFE(schedule->places, place, next)
	{
		remove_place(place);
	}
	ev_prepare_stop(schedule->settings.loop, &schedule->round);
	ev_idle_stop(schedule->settings.loop, &schedule->not_waiting);
	free(schedule);
}

void schedule_set_store(struct schedule *schedule, struct store *store)
{
	schedule->store = store;
	schedule->seen_changes = store ? store_change_count(store) : 0;
}

void schedule_add(struct schedule *schedule, struct client *client)
{
	struct place *place = calloc(1, sizeof *place);

	must(place != NULL);
	place->schedule = schedule;
	place->client = client;
	place->wake_usec = UINT64_MAX;
	ev_io_init(&place->io, on_channel, client_fd(client), EV_READ);
	ev_timer_init(&place->timer, on_timer, 0, 0);
	place->io.data = place->timer.data = place;
	DL_APPEND(schedule->places, place);
	schedule->n++;
	apply(place);
}

size_t schedule_count(const struct schedule *schedule)
{
	return schedule->n;
}

void schedule_bye_all(struct schedule *schedule, enum close_reason reason)
{
	struct place *place, *next;

	DL_FOREACH_SAFE(schedule->places, place, next)
	{
		client_bye(place->client, reason, clock_monotonic_usec());
		apply(place);
	}
}

bool schedule_bye(struct schedule *schedule, uint64_t login_id, enum close_reason reason)
{
	struct place *place;

	DL_FOREACH(schedule->places, place)
	{
		if (client_facts(place->client, 0).login_id != login_id)
			continue;
		client_bye(place->client, reason, clock_monotonic_usec());
		apply(place);
		return true;
	}
	return false;
}

void schedule_each(
	struct schedule *schedule, void (*tell)(void *arg, const struct client *client), void *arg)
{
	struct place *place;

	DL_FOREACH(schedule->places, place)
	{
		tell(arg, place->client);
	}
}
