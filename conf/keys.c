#include "conf/keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "conf/nearest.h"
#include "conf/wrong.h"

#define SECOND USEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const struct conf_choice tls_versions[] = { { "1.2", 2 }, { "1.3", 3 }, { NULL, 0 } };
static const struct conf_choice separators[] = { { "/", '/' }, { ".", '.' }, { NULL, 0 } };
static const struct conf_choice fsyncs[] = {
	{ "optimized", CONF_FSYNC_OPTIMIZED },
	{ "always", CONF_FSYNC_ALWAYS },
	{ "never", CONF_FSYNC_NEVER },
	{ NULL, 0 },
};
static const struct conf_choice targets[] = {
	{ "auto", CONF_LOG_AUTO },
	{ "stderr", CONF_LOG_STDERR },
	{ "syslog", CONF_LOG_SYSLOG },
	{ "journal", CONF_LOG_JOURNAL },
	{ NULL, 0 },
};
static const struct conf_choice levels[] = {
	{ "error", LOG_PRIORITY_ERROR },
	{ "warning", LOG_PRIORITY_WARNING },
	{ "notice", LOG_PRIORITY_NOTICE },
	{ "info", LOG_PRIORITY_INFO },
	{ "debug", LOG_PRIORITY_DEBUG },
	{ NULL, 0 },
};

const char *const conf_sections[] = { "listen", "tls", "auth", "mail", "imap", "pop3",
	"front", "session",
	"log", "control" };
const size_t conf_n_sections = sizeof conf_sections / sizeof *conf_sections;

#define AT(field)     .offset = offsetof(struct conf, field)
#define AT_TLS(field) .offset = offsetof(struct conf_tls, field), .per_tls = true

const struct conf_key conf_keys[] = {
	{ "listen", "imaps", CONF_ADDRESSES, AT(listen[SERVICE_IMAPS]),
		.doc = "addresses for IMAP with TLS from the first byte" },
	{ "listen", "imap", CONF_ADDRESSES, AT(listen[SERVICE_IMAP]),
		.doc = "addresses for IMAP that begins in the clear; STARTTLS is required before "
		       "any login" },
	{ "listen", "pop3s", CONF_ADDRESSES, AT(listen[SERVICE_POP3S]),
		.doc = "addresses for POP3 with TLS from the first byte" },
	{ "listen", "pop3", CONF_ADDRESSES, AT(listen[SERVICE_POP3]),
		.doc = "addresses for POP3 that begins in the clear; STLS is required before any "
		       "login" },

	{ "tls", "certificate", CONF_LIST, AT_TLS(certificates), .min = 1, .wrong = conf_wrong_path,
		.doc = "PEM file with the certificate and its chain" },
	{ "tls", "private-key", CONF_LIST, AT_TLS(private_keys), .min = 1, .wrong = conf_wrong_path,
		.doc = "PEM file with the private key of the certificate at the same place in its "
		       "list" },
	{ "tls", "minimum-version", CONF_CHOICE, AT(tls_minimum_minor), "1.2",
		.choices = tls_versions, .doc = "oldest TLS version that is spoken" },

	{ "auth", "pam-service", CONF_STRING, AT(auth.pam_service), "restante", .min = 1,
		.wrong = conf_wrong_pam_service,
		.doc = "PAM service that verifies logins: the name of its file" },
	{ "auth", "pam-config-dir", CONF_STRING, AT(auth.pam_config_dir), "",
		.wrong = conf_wrong_path,
		.doc = "directory of the PAM service file, instead of the system's" },
	{ "auth", "pam-session", CONF_BOOL, AT(auth.pam_session), "no",
		.doc = "open a PAM session at each login, and close it at once" },
	{ "auth", "pam-helpers", CONF_BOOL, AT(auth.pam_helpers), "yes",
		.doc = "PAM modules may need setuid programs (unix_chkpwd); matters only if not "
		       "started as root" },
	{ "auth", "workers-min", CONF_NUMBER, AT(auth.workers_min), "2", 1, 512,
		.doc = "idle auth workers kept ready" },
	{ "auth", "workers-max", CONF_NUMBER, AT(auth.workers_max), "32", 1, 512,
		.doc = "auth workers at most, so logins verified at the same time" },
	{ "auth", "worker-requests", CONF_NUMBER, AT(auth.worker_requests), "1000", 1, 1000000,
		.doc = "logins after which a worker is replaced" },
	{ "auth", "verify-timeout", CONF_DURATION, AT(auth.verify_timeout_usec), "60s", SECOND,
		HOUR, .doc = "time after which a worker that has not answered is ended" },
	{ "auth", "failure-delay", CONF_DURATION, AT(auth.failure_delay_usec), "2s", 0, MINUTE,
		.doc = "time from a login's start to the answer that it failed" },
	{ "auth", "address-failures", CONF_NUMBER, AT(auth.address_failures), "50", 1, 1000000,
		.doc = "failed logins of a client address in penalty-window before it is refused" },
	{ "auth", "account-failures", CONF_NUMBER, AT(auth.account_failures), "100", 1, 1000000,
		.doc = "failed logins of an account in penalty-window before it is refused" },
	{ "auth", "penalty-window", CONF_DURATION, AT(auth.penalty_window_usec), "10 min", SECOND,
		7 * DAY, .doc = "time after which failed logins are forgotten" },
	{ "auth", "minimum-uid", CONF_NUMBER, AT(auth.minimum_uid), "1", 0, UINT32_MAX - 1,
		.doc = "users with a smaller uid are refused; 0 lets root in" },
	{ "auth", "queue-length", CONF_NUMBER, AT(auth.queue_length), "4096", 1, 65536,
		.doc = "logins that may wait for a worker" },

	{ "mail", "path", CONF_STRING, AT(mail.path), "~/Maildir", .min = 1,
		.wrong = conf_wrong_mail_path,
		.doc = "the Maildir of a user; ~ %u %n %d are expanded" },
	{ "mail", "index", CONF_STRING, AT(mail.index), "~/Maildir/restante.index", .min = 1,
		.wrong = conf_wrong_mail_path,
		.doc = "the directory of a user's index; left out: restante.index in path" },
	{ "mail", "user", CONF_STRING, AT(mail.user), "", .wrong = conf_wrong_mail_user,
		.doc = "owner of all mail (a name, or UID:GID): the users are known to PAM only" },
	{ "mail", "hierarchy-separator", CONF_CHAR, AT(mail.hierarchy_separator), "/",
		.choices = separators,
		.doc = "what stands between the levels of a mailbox name: / or ." },
	{ "mail", "fsync", CONF_CHOICE, AT(mail.fsync), "optimized", .choices = fsyncs,
		.doc = "what is written through to disk before it is acknowledged: optimized, "
		       "always, never" },

	{ "mail", "quota-storage", CONF_SIZE, AT(mail.quota_storage_bytes), "0",
		.doc = "bytes that a user's messages may take; 0: no limit but a user's own, in the "
		       "first line of maildirsize" },
	{ "mail", "quota-messages", CONF_NUMBER, AT(mail.quota_messages), "0", 0, UINT32_MAX,
		.doc = "messages that a user may have; 0 as for quota-storage" },
	{ "mail", "quota-ignore", CONF_LIST, AT(mail.quota_ignore), "",
		.doc = "mailboxes that are in no quota, for example Trash" },

	{ "imap", "admin", CONF_STRING, AT(imap.admin), "", .wrong = conf_wrong_uri,
		.doc = "URI of whom users may ask, for example mailto:postmaster@example.org" },

	{ "pop3", "uidl-format", CONF_STRING, AT(pop3.uidl_format), "%08Xu%08Xv", .min = 1,
		.wrong = conf_wrong_uidl_format,
		.doc = "unique-ids of UIDL: %u UID, %v UIDVALIDITY, %f file name, %g GUID" },

	{ "front", "user", CONF_STRING, AT(front.user), "restante", .wrong = conf_wrong_user,
		.doc = "user that fronts become; without effect if not started as root" },
	{ "front", "chroot", CONF_STRING, AT(front.chroot), "/run/restante/empty",
		.wrong = conf_wrong_path,
		.doc = "empty directory that fronts are locked into; without effect if not started "
		       "as root" },
	{ "front", "processes", CONF_NUMBER, AT(front.processes), "0", 0, 48,
		.doc = "fronts kept running; 0: one a processor core" },
	{ "front", "connections-per-process", CONF_NUMBER, AT(front.connections_per_process), "0",
		0, 1, .doc = "0: many connections in a front; 1: a front of its own for each" },
	{ "front", "max-connections", CONF_NUMBER, AT(front.max_connections), "20000", 1, 1000000,
		.doc = "connections at most, over all fronts" },
	{ "front", "max-connections-per-address", CONF_NUMBER,
		AT(front.max_connections_per_address), "100", 1, 1000000,
		.doc = "connections at most of a client address; of IPv6, of a /64" },
	{ "front", "handshake-timeout", CONF_DURATION, AT(front.handshake_timeout_usec), "30s",
		SECOND, HOUR, .doc = "time for a TLS handshake" },
	{ "front", "login-timeout", CONF_DURATION, AT(front.login_timeout_usec), "60s", SECOND,
		HOUR, .doc = "time from the connection to a successful login" },
	{ "front", "imap-idle-timeout", CONF_DURATION, AT(front.imap_idle_timeout_usec), "31 min",
		30 * MINUTE, 7 * DAY,
		.doc = "time after which a silent IMAP client is logged out; RFC 9051 wants 30 "
		       "minutes at least" },
	{ "front", "pop3-idle-timeout", CONF_DURATION, AT(front.pop3_idle_timeout_usec), "11 min",
		10 * MINUTE, 7 * DAY,
		.doc = "time after which a silent POP3 client is logged out; RFC 1939 wants 10 "
		       "minutes at least" },
	{ "front", "keepalive", CONF_DURATION, AT(front.keepalive_usec), "2 min", SECOND, DAY,
		.doc = "time between signs of life to a client in IDLE" },

	{ "session", "spares", CONF_NUMBER, AT(session.spares), "4", 1, 256,
		.doc = "sessions kept ready for the next users" },
	{ "session", "linger", CONF_DURATION, AT(session.linger_usec), "60s", 0, DAY,
		.doc = "time that a session stays after its last connection" },
	{ "session", "max-connections-per-user", CONF_NUMBER, AT(session.max_connections_per_user),
		"50", 1, 10000, .doc = "connections at most of a user" },

	{ "log", "target", CONF_CHOICE, AT(log.target), "auto", .choices = targets,
		.doc = "where log lines go: auto, stderr, syslog, journal" },
	{ "log", "level", CONF_CHOICE, AT(log.level), "info", .choices = levels,
		.doc = "least important lines to log: error, warning, notice, info, debug" },

	{ "control", "socket", CONF_STRING, AT(control.socket), "/run/restante/control.sock",
		.min = 1, .wrong = conf_wrong_path, .doc = "socket that restantectl talks to" },
};
const size_t conf_n_keys = sizeof conf_keys / sizeof *conf_keys;

const struct conf_key *conf_key_find(struct slice section, struct slice name)
{
	for (size_t i = 0; i < conf_n_keys; i++)
		if (slice_equal(section, slice_str(conf_keys[i].section)) &&
			slice_equal(name, slice_str(conf_keys[i].name)))
			return &conf_keys[i];
	return NULL;
}

const struct conf_key *conf_key_nearest(struct slice section, struct slice name)
{
	const struct conf_key *best = NULL;
	size_t best_distance = SIZE_MAX;

	for (size_t i = 0; i < conf_n_keys; i++) {
		bool same_section = slice_equal(section, slice_str(conf_keys[i].section));
		size_t distance = nearest_distance(name, slice_str(conf_keys[i].name));

		if (!same_section && distance > 0)
			continue;
		if (distance < best_distance) {
			best = &conf_keys[i];
			best_distance = distance;
		}
	}
	return best && nearest_is_slip(name, best_distance) ? best : NULL;
}

const char *conf_section_find(struct slice name)
{
	for (size_t i = 0; i < conf_n_sections; i++)
		if (slice_equal(name, slice_str(conf_sections[i])))
			return conf_sections[i];
	return NULL;
}

const char *conf_section_nearest(struct slice name)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	for (size_t i = 0; i < conf_n_sections; i++) {
		size_t distance = nearest_distance(name, slice_str(conf_sections[i]));

		if (distance < best_distance) {
			best = conf_sections[i];
			best_distance = distance;
		}
	}
	return best && nearest_is_slip(name, best_distance) ? best : NULL;
}
