/* connection.h - one client's connection in a front, from accept to close: its states, its events, its end. */
#pragma once

#include "base/address.h"
#include "base/buf.h"
#include "base/service.h"
#include "server/front/prelogin.h"
#include "server/front/stream.h"
#include "server/ipc/channel.h"

#include <ev.h>

struct front;

/*
 *   accept ─▶ CLEAR ──STARTTLS──▶ HANDSHAKE ──▶ PRELOGIN ◀──failed── LOGIN
 *     │         │                     │ ▲          │  └──credentials──▶ │
 *     └─────────┼───implicit TLS──────┼─┘          │                    │ verdict
 *               ▼                     ▼            ▼                    ▼
 *             CLOSING ◀──────────────────────────────────────────── RELAY
 *               └──▶ LINGER ──▶ CLOSED (also from everywhere, when the client is gone)
 */
enum connection_state {
	CONNECTION_CLEAR,     /* the dialogue before TLS */
	CONNECTION_HANDSHAKE,
	CONNECTION_PRELOGIN,  /* the dialogue under TLS */
	CONNECTION_LOGIN,     /* credentials are on their way, or their answer waits for its time */
	CONNECTION_RELAY,
	CONNECTION_CLOSING,   /* the last bytes go out */
	CONNECTION_LINGER,    /* nothing more is said; the client's end is waited for, so that it gets the last bytes */
	CONNECTION_CLOSED,    /* freed when the step returns */
	CONNECTION_STATE_COUNT,
};

/* What happened, for a step; what is waited for, for the event loop. */
enum connection_event {
	CONNECTION_CLIENT_READ = 1,
	CONNECTION_CLIENT_WRITE = 2,
	CONNECTION_CHANNEL_READ = 4,
	CONNECTION_CHANNEL_WRITE = 8,
	CONNECTION_DUE = 16, /* the time of due_usec() has come */
};

enum { CONNECTION_READ_BYTES = 16 * 1024 }; /* from the client at once: one TLS record */

struct login {
	uint64_t login_id;
	uint64_t started_usec;
	bool has_verdict;
	enum verdict verdict;
	uint64_t answer_usec; /* when to answer */
	struct buf text;      /* the server's own words */
};

struct relay {
	size_t owed;            /* as channel_send_data() keeps it */
	struct slice to_client; /* of a DATA frame, not sent yet; in channel.in */
	uint64_t active_usec;   /* the last time bytes went either way */
	uint64_t said_usec;     /* the last time bytes went to the client */
	uint64_t retry_usec;    /* when to try again to tell the session to say goodbye; 0: not begun */
	uint64_t told_usec;     /* when TIMEOUT or STOP was sent to the session; 0: it was not */
	bool stopping;          /* the front ends: it is STOP that the session is told */
	bool line_start;        /* the client is at the beginning of a line */
	bool keepalive;         /* the client is in IDLE */
	bool finished;          /* the session was told that no more will come */
	struct compress *compress; /* NULL: not compressed */
	struct buf inflated;    /* with compression: from the client, not relayed yet; then in is as it came */
	bool inflates_more;     /* there is more than inflated has room for */
};

/* All times are of the monotonic clock. */
struct connection {
	struct front *front;
	struct connection *previous, *next;
	enum connection_state state;
	enum service service;
	struct address address;
	bool refused;          /* over a limit: hears why after the handshake */
	enum prelogin_bye refusal;
	bool again;            /* a step stopped in the middle of its work: step again when others had their turn */
	bool readable;         /* the last read gave bytes: there may be more inside TLS */
	uint64_t began_usec;   /* accepted */
	uint64_t state_usec;   /* when the state was entered */
	struct stream stream;
	ev_io client_watch, channel_watch;
	ev_timer timer;
	uint64_t timer_usec;   /* when it fires; 0: not started */
	struct buf in;         /* from the client, not understood or relayed yet */
	struct buf out;        /* to the client, ours; goes before relay.to_client */
	struct prelogin *prelogin; /* until the relay */
	struct login *login;   /* in LOGIN */
	struct channel channel; /* in LOGIN and RELAY; fd -1 else */
	struct relay relay;
};

/*
 * Take an accepted socket over and begin.
 * refusal  PRELOGIN_BYE_COUNT, or why the client is told to go away at once.
 */
void connection_new(struct front *front, int fd, enum service service, const struct address *address, enum prelogin_bye refusal);

/* End a connection whatever its state, without a word. */
void connection_free(struct connection *c);

/* Say that the server stops, unless a session does. */
void connection_stop(struct connection *c);

/* ---- for the steps of the states ---- */

/* The one setter of the state; the edge must be in the table. */
void connection_set_state(struct connection *c, enum connection_state state);

/* Say goodbye, and close once it is sent. */
void connection_end(struct connection *c, enum prelogin_bye bye);

/* Send what is in out. Returns true when nothing is left; false: more to send, or the state is CLOSED. */
bool connection_flush(struct connection *c);

/*
 * Read once into in, of which at most limit bytes may be held.
 * Returns 0: bytes came. -EAGAIN: none. -EPIPE: end-of-file (stream.eof) or a broken connection.
 */
int connection_read(struct connection *c, size_t limit_bytes);

/* Put the near end of a channel into the event loop; and out of it, closed. */
void connection_open_channel(struct connection *c, int fd);
void connection_close_channel(struct connection *c);

uint64_t connection_now_usec(const struct connection *c);
