/* frames.h - the frames between the master and every other process: one table lists them all. Pure. */
#pragma once

#include "base/address.h"
#include "base/cleanup.h"
#include "base/language.h"
#include "base/limits.h"
#include "base/service.h"
#include "base/slice.h"
#include "base/verdict.h"

/*
 * Each process has one SEQPACKET pair, its line, to the master. One packet is one frame: a kind byte,
 * then the fields of that kind in the order of the table in frames.c, fixed-width integers in network
 * order, byte strings with a 16-bit length. Descriptors travel as ancillary data; how many is part of the kind.
 *
 * Whoever receives a frame that its sender may not send, or that does not decode, ends that peer.
 */

enum role { ROLE_MASTER, ROLE_FRONT_POOL, ROLE_AUTH_POOL, ROLE_SESSION_POOL, ROLE_FRONT, ROLE_WORKER, ROLE_SESSION, ROLE_COUNT };

/* "master", "front pool", ..., "session": for logs. */
const char *role_name(enum role role);

enum {
	FRAME_MAX_BYTES = 16 * 1024,
	FRAME_MAX_FDS = 32,
	FRAME_TEXT_BYTES = 1000,      /* of a log line or a problem */
	TICKET_KEY_BYTES = 80,        /* name 16, AES-256 key 32, HMAC-SHA-256 key 32 */
	TICKET_KEYS = 3,              /* the current one, and two old ones that still open tickets */
};

enum frame_kind {
	FRAME_NONE,

	/* master -> pool */
	FRAME_CONFIG,    /* struct frame_config; 1 fd: a sealed memfd with the text of the configuration */
	FRAME_LISTENERS, /* struct frame_listeners; a listening socket for each byte of services (front pool) */
	FRAME_SPAWN,     /* struct frame_process; 2 fds: the new process's end of its line, the status memfd */
	FRAME_KILL,      /* struct frame_kill: send a signal to a child */
	FRAME_PING,      /* struct frame_serial */

	/* pool -> master */
	FRAME_READY,       /* no fields: configuration taken; from a front or worker or session: at work */
	FRAME_PROBLEM,     /* struct frame_text: one problem in configuration, certificates or keys, as FILE:LINE: message */
	FRAME_CONFIG_BAD,  /* no fields: all problems were told; the configuration was not taken */
	FRAME_CERTIFICATE, /* struct frame_certificate: one that is in use (front pool) */
	FRAME_SPAWNED,     /* struct frame_process: the pid */
	FRAME_EXITED,      /* struct frame_exited: a child was reaped (or SPAWN failed: pid 0, status the errno) */
	FRAME_PONG,        /* struct frame_serial */

	/* anybody -> master */
	FRAME_LOG, /* struct frame_log */

	/* master -> front pool and front */
	FRAME_TICKET_KEYS, /* struct frame_ticket_keys */
	FRAME_STOP_ACCEPT, /* no fields: a newer generation accepts now (front) */
	/* master -> front and session */
	FRAME_STOP, /* no fields: say goodbye to every client, then exit */

	/* front -> master */
	FRAME_LOGIN,  /* struct frame_login; 1 fd: the far end of the channel, credentials already in it */
	FRAME_CANCEL, /* struct frame_login_id: the client went away before the verdict */

	/* master -> worker */
	FRAME_VERIFY, /* struct frame_login; 1 fd: the channel */
	/* worker -> master */
	FRAME_ACCOUNT, /* struct frame_account: authenticated and authorised */
	FRAME_FAILED,  /* struct frame_failed: the verdict is already in the channel */

	/* master -> session */
	FRAME_ADOPT,     /* struct frame_adopt; 1 fd: the channel. The first one tells a spare whom to become */
	FRAME_RETIRE_OK, /* no fields: exit now */
	FRAME_KICK,      /* struct frame_login_id: close one connection, with a word to the client */
	FRAME_WHO,       /* struct frame_serial */
	/* session -> master */
	FRAME_RETIRE,    /* no fields: no connection for a while */
	FRAME_CLOSED,    /* struct frame_login_id: a connection ended */
	FRAME_WHO_ENTRY, /* struct frame_who_entry */
	FRAME_WHO_END,   /* struct frame_serial */

	FRAME_KIND_COUNT,
};

struct frame_config { uint64_t generation; struct slice path; /* for messages only */ };
struct frame_listeners { struct slice services; /* a byte each: enum service */ };
struct frame_process { uint32_t slot; uint32_t pid; /* slot: page of the status memory, unique among living processes */ };
struct frame_kill { uint32_t pid; uint32_t signal; };
struct frame_serial { uint64_t serial; };
struct frame_text { struct slice text; };
struct frame_certificate {
	struct slice name;       /* of the [tls NAME] section; empty: the default one */
	struct slice file;
	struct slice subject;    /* first DNS name, else CN */
	struct slice key_type;   /* "RSA 2048", "EC P-256", ... */
	uint64_t not_after_usec; /* wall clock */
};
struct frame_exited { uint32_t slot; uint32_t pid; uint32_t status; /* as from waitpid() */ };
struct frame_log { uint8_t priority; struct slice text; };
struct frame_ticket_keys { struct slice keys; /* 1 to TICKET_KEYS times TICKET_KEY_BYTES, the current one first */ };
struct frame_login_id { uint64_t login_id; };

/* What the front says of a client. Its word only: the master uses it for fairness, logs and `who`. */
struct frame_login {
	uint64_t login_id; /* from the front: its own connection id; to a worker: the master's */
	uint8_t service;
	uint8_t address_family;
	struct slice address_bytes; /* 16 */
	uint16_t address_port;
	struct slice tls_version; /* "TLSv1.3" */
	struct slice tls_cipher;  /* "TLS_AES_256_GCM_SHA384" */
	uint8_t language;         /* that it asked for: enum language */
};
struct frame_account {
	uint64_t login_id;
	struct slice user; /* PAM_USER as it stood after authentication */
	uint32_t user_uid, user_gid;
	struct slice groups; /* 4 bytes each, network order; at most LIMIT_GROUPS */
	struct slice home;
	struct slice mail_path;  /* absolute, expanded */
	struct slice index_path; /* absolute, expanded */
};
struct frame_failed { uint64_t login_id; uint8_t verdict; };
struct frame_adopt {
	uint64_t login_id; /* the master's */
	uint8_t service;
	uint8_t drop_index; /* 1: the user's last session died in a way that may have spoilt the index */
	struct slice user;
	uint32_t user_uid, user_gid;
	struct slice groups;
	struct slice home;
	struct slice mail_path;
	struct slice index_path;
	struct slice address; /* as text, for logs */
	uint8_t language;
};
struct frame_who_entry {
	uint64_t login_id;
	uint64_t idle_usec;
	uint64_t commands;
	struct slice doing;
};

/* One frame, decoded. Slices point into the received packet. */
struct frame {
	enum frame_kind kind;
	union {
		struct frame_config config;
		struct frame_listeners listeners;
		struct frame_process process; /* SPAWN, SPAWNED */
		struct frame_kill kill;
		struct frame_serial serial; /* PING, PONG, WHO, WHO_END */
		struct frame_text text;     /* PROBLEM */
		struct frame_certificate certificate;
		struct frame_exited exited;
		struct frame_log log;
		struct frame_ticket_keys ticket_keys;
		struct frame_login_id login_id; /* CANCEL, KICK, CLOSED */
		struct frame_login login;       /* LOGIN, VERIFY */
		struct frame_account account;
		struct frame_failed failed;
		struct frame_adopt adopt;
		struct frame_who_entry who_entry;
	};
};

/* The name of a kind, for logs: "LOGIN". */
const char *frame_name(enum frame_kind kind);

/* How many descriptors a frame carries. For LISTENERS: as many as it has services. */
size_t frame_fds(const struct frame *frame);

/*
 * Write a frame as one packet into bytes (FRAME_MAX_BYTES of room).
 * Returns its size. A frame that does not fit is our own bug: check lengths where they come in.
 */
size_t frame_encode(const struct frame *frame, uint8_t bytes[FRAME_MAX_BYTES]);

/*
 * Read a packet that role sent.
 * Returns 0, *ret_frame borrowing from packet; -EBADMSG: unknown kind, one that this role may not send,
 * too few or too many bytes, or a field beyond its limit (a service or verdict that does not exist,
 * an address not of 16 bytes, groups not in fours, a NUL in a name or path).
 */
_must_check_ int frame_decode(struct slice packet, enum role sender, struct frame *ret_frame);

/* The address fields of a login as one value, and back. */
struct address frame_login_address(const struct frame_login *login);
