/* conf.h - the settings of restante.conf: reading, checking, explaining. Reads no file but what it is given. */
#pragma once

#include "base/address.h"
#include "base/cleanup.h"
#include "base/service.h"
#include "base/slice.h"

#include <stdint.h>

enum {
	CONF_TEXT_MAX_BYTES = 256 * 1024, /* of the file */
	CONF_LIST_MAX = 16,               /* values of a list */
	CONF_TLS_MAX = 64,                /* [tls] sections */
	CONF_PROBLEMS_MAX = 500,          /* told at once; one more says that there are more */
};

enum conf_log_target { CONF_LOG_AUTO, CONF_LOG_STDERR, CONF_LOG_SYSLOG, CONF_LOG_JOURNAL };
enum conf_fsync { CONF_FSYNC_OPTIMIZED, CONF_FSYNC_ALWAYS, CONF_FSYNC_NEVER };

/* A comma-separated list of strings. */
struct conf_list {
	const char *values[CONF_LIST_MAX];
	size_t n;
};

/* [listen]: one service. */
struct conf_listen {
	struct address addresses[CONF_LIST_MAX];
	size_t n;
};

/* [tls] and [tls NAME]. The n-th certificate goes with the n-th private key: RSA and ECDSA side by side. */
struct conf_tls {
	const char *name; /* for SNI, lower case, may begin with "*."; "" for [tls] */
	struct conf_list certificates, private_keys;
	unsigned line; /* of the section header, for messages */
};

/* Every setting; what the file leaves out has its default. All strings live as long as the struct conf. */
struct conf {
	struct conf_listen listen[SERVICE_COUNT];

	unsigned tls_minimum_minor; /* 2: TLS 1.2, 3: TLS 1.3; from [tls] minimum-version */
	struct conf_tls tls[CONF_TLS_MAX]; /* tls[0] is [tls] */
	size_t n_tls;

	struct {
		const char *user;               /* restante; "" when not started as root */
		const char *chroot;             /* /run/restante/empty */
		unsigned processes;             /* 0: one a core */
		unsigned connections_per_process; /* 0: many, 1: one client a process */
		unsigned max_connections;       /* over all fronts: 20000 */
		unsigned max_connections_per_address; /* 100 */
		uint64_t handshake_timeout_usec; /* 30 s */
		uint64_t login_timeout_usec;     /* 60 s: from accept to a login */
		uint64_t imap_idle_timeout_usec; /* 31 min; RFC 9051 section 5.4: at least 30 */
		uint64_t pop3_idle_timeout_usec; /* 11 min; RFC 1939 section 3: at least 10 */
		uint64_t keepalive_usec;         /* 2 min: "* OK Still here" in IDLE */
	} front;

	struct {
		const char *pam_service;    /* restante */
		const char *pam_config_dir; /* "" : the system's */
		bool pam_session;           /* open and close a PAM session at login */
		bool pam_helpers;           /* the PAM stack runs setuid helpers: no sandbox for workers of an ordinary user. true */
		unsigned workers_min, workers_max; /* idle ones kept ready; all: 2, 32 */
		unsigned worker_requests;   /* then a worker is replaced: 1000 */
		uint64_t verify_timeout_usec; /* then a worker is ended: 60 s */
		uint64_t failure_delay_usec;  /* 2 s */
		unsigned address_failures;  /* failures of an address in penalty_window before it is refused: 50 */
		unsigned account_failures;  /* failures of an account before it is refused: 100 */
		uint64_t penalty_window_usec; /* 10 min */
		unsigned minimum_uid;       /* 1: root is refused. 0 allows root */
		unsigned queue_length;      /* logins waiting in all: 4096 */
	} auth;

	struct {
		const char *path;  /* ~/Maildir; ~ %u %n %d are expanded by auth/account */
		const char *index; /* what is left out becomes PATH/restante.index */
		const char *user;  /* "": the system user; else a name, or UID:GID: virtual users */
		char hierarchy_separator;
		enum conf_fsync fsync;
		uint64_t quota_storage_bytes;  /* 0: no limit */
		unsigned quota_messages;       /* 0: no limit */
		struct conf_list quota_ignore; /* mailboxes that are not counted */
	} mail;

	struct {
		const char *admin; /* "" or a URI: METADATA /shared/admin */
	} imap;

	struct {
		const char *uidl_format; /* %08Xu%08Xv: letters as in pop3_uidl.h */
	} pop3;

	struct {
		unsigned spares;               /* sessions kept ready: 4 */
		uint64_t linger_usec;          /* a session without connections stays: 60 s */
		unsigned max_connections_per_user; /* 50 */
	} session;

	struct {
		enum conf_log_target target;
		unsigned level; /* enum log_priority */
	} log;

	struct {
		const char *socket; /* /run/restante/control.sock */
	} control;

	void *memory; /* what the strings lie in; conf_free() frees it */
};

/* One problem: "FILE:LINE: message" without FILE. */
struct conf_problem {
	unsigned line; /* 0: of the whole file */
	char text[300];
};

struct conf_problems {
	struct conf_problem *items; /* by line */
	size_t n;
};

/*
 * Read a whole configuration text. Looks at nothing but the text: whether files and users exist is checked by those who use them.
 * text      at most CONF_TEXT_MAX_BYTES; any bytes.
 * Returns   0: *ret_conf is set (problems is empty); -EINVAL: problems tells everything that is wrong, each once,
 *           with the nearest known key or section for a misspelt one; *ret_conf is untouched.
 * Owns      conf_free() and conf_problems_done() free what is set.
 */
_must_check_ int conf_parse(struct slice text, struct conf **ret_conf, struct conf_problems *ret_problems);
void conf_free(struct conf *conf);

/*
 * Read what can be read of a text that conf_parse() refuses, for `-t' alone, which goes on to look for what else is
 * wrong. A setting at fault has its default, or none: a certificate may lack its key.
 */
struct conf *conf_parse_anyway(struct slice text);
void conf_problems_done(struct conf_problems *problems);

/*
 * Find one string setting in a text that may have mistakes elsewhere: for who must ask the server about just these mistakes.
 * Returns  a malloc'ed string; NULL if it is not set, or wrong. The key must exist and be a string's.
 */
char *conf_find_string(struct slice text, const char *section, const char *name);

/* Read a file as conf_parse() takes it. Returns 0, -EFBIG, or -errno. *ret_text is malloc'ed, the caller's to free. */
_must_check_ int conf_read_file(const char *path, char **ret_text, size_t *ret_bytes);

/* As conf_read_file() from an open descriptor (a memfd), from its start. */
_must_check_ int conf_read_fd(int fd, char **ret_text, size_t *ret_bytes);
