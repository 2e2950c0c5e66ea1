/*
 * The table: who may send a kind, how many descriptors come with it, and its fields in wire order.
 * A frame is encoded and decoded by walking its row, so both directions cannot disagree.
 */
#include "server/ipc/frames.h"

#include "base/must.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>

enum field_type {
	FIELD_END,
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_SERVICE, /* U8, an enum service */
	FIELD_LANGUAGE, /* U8, an enum language */
	FIELD_VERDICT, /* U8, an enum verdict but VERDICT_OK */
	FIELD_BYTES,   /* any bytes, at most limit */
	FIELD_TEXT,    /* no NUL, at most limit */
	FIELD_PATH,    /* no NUL, at most limit, begins with "/" */
	FIELD_ADDRESS, /* exactly 16 bytes */
	FIELD_GROUPS,  /* a multiple of 4 bytes, at most limit */
	FIELD_SERVICES, /* an enum service each, at most limit */
};

struct field {
	enum field_type type;
	size_t offset;
	size_t limit;
};

enum { FIELDS_MAX = 14 };

#define FROM(role) (1u << (role))

enum {
	FROM_MASTER = FROM(ROLE_MASTER),
	FROM_POOLS = FROM(ROLE_FRONT_POOL) | FROM(ROLE_AUTH_POOL) | FROM(ROLE_SESSION_POOL),
	FROM_CHILDREN = FROM(ROLE_FRONT) | FROM(ROLE_WORKER) | FROM(ROLE_SESSION),
};

struct frame_type {
	const char *name;
	unsigned senders;
	int fds; /* -1: one for each service of LISTENERS */
	struct field fields[FIELDS_MAX];
};

#define AT(member) offsetof(struct frame, member)

static const struct frame_type types[FRAME_KIND_COUNT] = {
	[FRAME_CONFIG] = { "CONFIG", FROM_MASTER, 1, {
		{ FIELD_U64, AT(config.generation), 0 },
		{ FIELD_TEXT, AT(config.path), LIMIT_PATH_BYTES } } },
	[FRAME_LISTENERS] = { "LISTENERS", FROM_MASTER, -1, {
		{ FIELD_SERVICES, AT(listeners.services), FRAME_MAX_FDS } } },
	[FRAME_SPAWN] = { "SPAWN", FROM_MASTER, 2, {
		{ FIELD_U32, AT(process.slot), 0 },
		{ FIELD_U32, AT(process.pid), 0 } } },
	[FRAME_KILL] = { "KILL", FROM_MASTER, 0, {
		{ FIELD_U32, AT(kill.pid), 0 },
		{ FIELD_U32, AT(kill.signal), 0 } } },
	[FRAME_PING] = { "PING", FROM_MASTER, 0, { { FIELD_U64, AT(serial.serial), 0 } } },
	[FRAME_READY] = { "READY", FROM_POOLS | FROM_CHILDREN, 0, { { FIELD_END, 0, 0 } } },
	[FRAME_PROBLEM] = { "PROBLEM", FROM_POOLS, 0, {
		{ FIELD_TEXT, AT(text.text), FRAME_TEXT_BYTES } } },
	[FRAME_CONFIG_BAD] = { "CONFIG_BAD", FROM_POOLS, 0, { { FIELD_END, 0, 0 } } },
	[FRAME_CERTIFICATE] = { "CERTIFICATE", FROM(ROLE_FRONT_POOL), 0, {
		{ FIELD_TEXT, AT(certificate.name), LIMIT_NAME_BYTES },
		{ FIELD_TEXT, AT(certificate.file), LIMIT_PATH_BYTES },
		{ FIELD_TEXT, AT(certificate.subject), LIMIT_NAME_BYTES },
		{ FIELD_TEXT, AT(certificate.key_type), LIMIT_NAME_BYTES },
		{ FIELD_U64, AT(certificate.not_after_usec), 0 } } },
	[FRAME_SPAWNED] = { "SPAWNED", FROM_POOLS, 0, {
		{ FIELD_U32, AT(process.slot), 0 },
		{ FIELD_U32, AT(process.pid), 0 } } },
	[FRAME_EXITED] = { "EXITED", FROM_POOLS, 0, {
		{ FIELD_U32, AT(exited.slot), 0 },
		{ FIELD_U32, AT(exited.pid), 0 },
		{ FIELD_U32, AT(exited.status), 0 } } },
	[FRAME_PONG] = { "PONG", FROM_POOLS, 0, { { FIELD_U64, AT(serial.serial), 0 } } },
	[FRAME_LOG] = { "LOG", FROM_POOLS | FROM_CHILDREN, 0, {
		{ FIELD_U8, AT(log.priority), 0 },
		{ FIELD_TEXT, AT(log.text), FRAME_TEXT_BYTES } } },
	[FRAME_TICKET_KEYS] = { "TICKET_KEYS", FROM_MASTER, 0, {
		{ FIELD_BYTES, AT(ticket_keys.keys), TICKET_KEYS * TICKET_KEY_BYTES } } },
	[FRAME_STOP_ACCEPT] = { "STOP_ACCEPT", FROM_MASTER, 0, { { FIELD_END, 0, 0 } } },
	[FRAME_STOP] = { "STOP", FROM_MASTER, 0, { { FIELD_END, 0, 0 } } },
	[FRAME_LOGIN] = { "LOGIN", FROM(ROLE_FRONT), 1, {
		{ FIELD_U64, AT(login.login_id), 0 },
		{ FIELD_SERVICE, AT(login.service), 0 },
		{ FIELD_U8, AT(login.address_family), 0 },
		{ FIELD_ADDRESS, AT(login.address_bytes), 0 },
		{ FIELD_U16, AT(login.address_port), 0 },
		{ FIELD_TEXT, AT(login.tls_version), 32 },
		{ FIELD_TEXT, AT(login.tls_cipher), 64 },
		{ FIELD_LANGUAGE, AT(login.language), 0 } } },
	[FRAME_CANCEL] = { "CANCEL", FROM(ROLE_FRONT), 0, { { FIELD_U64, AT(login_id.login_id), 0 } } },
	[FRAME_VERIFY] = { "VERIFY", FROM_MASTER, 1, {
		{ FIELD_U64, AT(login.login_id), 0 },
		{ FIELD_SERVICE, AT(login.service), 0 },
		{ FIELD_U8, AT(login.address_family), 0 },
		{ FIELD_ADDRESS, AT(login.address_bytes), 0 },
		{ FIELD_U16, AT(login.address_port), 0 },
		{ FIELD_TEXT, AT(login.tls_version), 32 },
		{ FIELD_TEXT, AT(login.tls_cipher), 64 },
		{ FIELD_LANGUAGE, AT(login.language), 0 } } },
	[FRAME_ACCOUNT] = { "ACCOUNT", FROM(ROLE_WORKER), 0, {
		{ FIELD_U64, AT(account.login_id), 0 },
		{ FIELD_TEXT, AT(account.user), LIMIT_USER_BYTES },
		{ FIELD_U32, AT(account.user_uid), 0 },
		{ FIELD_U32, AT(account.user_gid), 0 },
		{ FIELD_GROUPS, AT(account.groups), 4 * LIMIT_GROUPS },
		{ FIELD_TEXT, AT(account.home), LIMIT_PATH_BYTES },
		{ FIELD_PATH, AT(account.mail_path), LIMIT_PATH_BYTES },
		{ FIELD_PATH, AT(account.index_path), LIMIT_PATH_BYTES } } },
	[FRAME_FAILED] = { "FAILED", FROM(ROLE_WORKER), 0, {
		{ FIELD_U64, AT(failed.login_id), 0 },
		{ FIELD_VERDICT, AT(failed.verdict), 0 } } },
	[FRAME_ADOPT] = { "ADOPT", FROM_MASTER, 1, {
		{ FIELD_U64, AT(adopt.login_id), 0 },
		{ FIELD_SERVICE, AT(adopt.service), 0 },
		{ FIELD_U8, AT(adopt.drop_index), 0 },
		{ FIELD_TEXT, AT(adopt.user), LIMIT_USER_BYTES },
		{ FIELD_U32, AT(adopt.user_uid), 0 },
		{ FIELD_U32, AT(adopt.user_gid), 0 },
		{ FIELD_GROUPS, AT(adopt.groups), 4 * LIMIT_GROUPS },
		{ FIELD_TEXT, AT(adopt.home), LIMIT_PATH_BYTES },
		{ FIELD_PATH, AT(adopt.mail_path), LIMIT_PATH_BYTES },
		{ FIELD_PATH, AT(adopt.index_path), LIMIT_PATH_BYTES },
		{ FIELD_TEXT, AT(adopt.address), ADDRESS_TEXT_BYTES },
		{ FIELD_LANGUAGE, AT(adopt.language), 0 } } },
	[FRAME_RETIRE_OK] = { "RETIRE_OK", FROM_MASTER, 0, { { FIELD_END, 0, 0 } } },
	[FRAME_KICK] = { "KICK", FROM_MASTER, 0, { { FIELD_U64, AT(login_id.login_id), 0 } } },
	[FRAME_WHO] = { "WHO", FROM_MASTER, 0, { { FIELD_U64, AT(serial.serial), 0 } } },
	[FRAME_RETIRE] = { "RETIRE", FROM(ROLE_SESSION), 0, { { FIELD_END, 0, 0 } } },
	[FRAME_CLOSED] = { "CLOSED", FROM(ROLE_SESSION), 0, { { FIELD_U64, AT(login_id.login_id), 0 } } },
	[FRAME_WHO_ENTRY] = { "WHO_ENTRY", FROM(ROLE_SESSION), 0, {
		{ FIELD_U64, AT(who_entry.login_id), 0 },
		{ FIELD_U64, AT(who_entry.idle_usec), 0 },
		{ FIELD_U64, AT(who_entry.commands), 0 },
		{ FIELD_TEXT, AT(who_entry.doing), FRAME_TEXT_BYTES } } },
	[FRAME_WHO_END] = { "WHO_END", FROM(ROLE_SESSION), 0, { { FIELD_U64, AT(serial.serial), 0 } } },
};

static const char *const role_names[ROLE_COUNT] = {
	[ROLE_MASTER] = "master",
	[ROLE_FRONT_POOL] = "front pool",
	[ROLE_AUTH_POOL] = "auth pool",
	[ROLE_SESSION_POOL] = "session pool",
	[ROLE_FRONT] = "front",
	[ROLE_WORKER] = "auth worker",
	[ROLE_SESSION] = "session",
};

const char *role_name(enum role role)
{
	must(role < ROLE_COUNT);
	return role_names[role];
}

const char *frame_name(enum frame_kind kind)
{
	return kind > FRAME_NONE && kind < FRAME_KIND_COUNT ? types[kind].name : "?";
}

size_t frame_fds(const struct frame *frame)
{
	must(frame->kind > FRAME_NONE && frame->kind < FRAME_KIND_COUNT);

	int fds = types[frame->kind].fds;

	return fds >= 0 ? (size_t)fds : frame->listeners.services.n;
}

/* The width of a number on the wire; 0 for byte strings. */
static size_t number_bytes(enum field_type type)
{
	switch (type) {
	case FIELD_U8:
	case FIELD_SERVICE:
	case FIELD_LANGUAGE:
	case FIELD_VERDICT:
		return 1;
	case FIELD_U16:
		return 2;
	case FIELD_U32:
		return 4;
	case FIELD_U64:
		return 8;
	default:
		return 0;
	}
}

static uint64_t load_member(const void *member, size_t bytes)
{
	switch (bytes) {
	case 1:
		return *(const uint8_t *)member;
	case 2:
		return *(const uint16_t *)member;
	case 4:
		return *(const uint32_t *)member;
	default:
		return *(const uint64_t *)member;
	}
}

static void store_member(void *member, size_t bytes, uint64_t value)
{
	switch (bytes) {
	case 1:
		*(uint8_t *)member = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)member = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)member = (uint32_t)value;
		break;
	default:
		*(uint64_t *)member = value;
	}
}

static size_t put_number(uint8_t *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return bytes;
}

size_t frame_encode(const struct frame *frame, uint8_t bytes[FRAME_MAX_BYTES])
{
	must(frame->kind > FRAME_NONE && frame->kind < FRAME_KIND_COUNT);

	size_t n = 0;

	bytes[n++] = (uint8_t)frame->kind;
	for (const struct field *f = types[frame->kind].fields; f->type != FIELD_END; f++) {
		const char *member = (const char *)frame + f->offset;
		size_t width = number_bytes(f->type);

		must(n + 8 <= FRAME_MAX_BYTES);
		if (width > 0) {
			n += put_number(bytes + n, load_member(member, width), width);
			continue;
		}

		const struct slice *s = (const struct slice *)member;

		must(s->n <= UINT16_MAX && n + 2 + s->n <= FRAME_MAX_BYTES);
		n += put_number(bytes + n, s->n, 2);
		if (s->n > 0)
			memcpy(bytes + n, s->p, s->n);
		n += s->n;
	}
	return n;
}

static bool take_number(struct slice *in, size_t bytes, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (in->n < bytes)
		return false;

	struct slice taken = slice_take(in, bytes);

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | (uint8_t)taken.p[i];
	*ret_value = value;
	return true;
}

static bool services_valid(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] >= SERVICE_COUNT)
			return false;
	return true;
}

static bool bytes_valid(const struct field *f, struct slice s)
{
	bool has_nul = slice_find(s, '\0') >= 0;

	switch (f->type) {
	case FIELD_TEXT:
		return s.n <= f->limit && !has_nul;
	case FIELD_PATH:
		return s.n <= f->limit && !has_nul && s.n > 0 && s.p[0] == '/';
	case FIELD_ADDRESS:
		return s.n == 16;
	case FIELD_GROUPS:
		return s.n <= f->limit && s.n % 4 == 0;
	case FIELD_SERVICES:
		return s.n <= f->limit && services_valid(s);
	default:
		return s.n <= f->limit;
	}
}

static bool number_valid(enum field_type type, uint64_t value)
{
	if (type == FIELD_SERVICE)
		return value < SERVICE_COUNT;
	if (type == FIELD_LANGUAGE)
		return value < LANGUAGE_COUNT;
	if (type == FIELD_VERDICT)
		return value > VERDICT_OK && value < VERDICT_COUNT;
	return true;
}

static bool take_field(struct slice *in, const struct field *f, struct frame *frame)
{
	char *member = (char *)frame + f->offset;
	size_t width = number_bytes(f->type);
	uint64_t value;

	if (!take_number(in, width > 0 ? width : 2, &value))
		return false;
	if (width > 0) {
		store_member(member, width, value);
		return number_valid(f->type, value);
	}
	if (in->n < value)
		return false;

	struct slice s = slice_take(in, (size_t)value);

	*(struct slice *)member = s;
	return bytes_valid(f, s);
}

int frame_decode(struct slice packet, enum role sender, struct frame *ret_frame)
{
	struct frame frame = { 0 };

	if (packet.n == 0 || packet.n > FRAME_MAX_BYTES)
		return -EBADMSG;

	uint8_t kind = (uint8_t)slice_take(&packet, 1).p[0];

	if (kind == FRAME_NONE || kind >= FRAME_KIND_COUNT || !(types[kind].senders & FROM(sender)))
		return -EBADMSG;
	frame.kind = kind;
	for (const struct field *f = types[kind].fields; f->type != FIELD_END; f++)
		if (!take_field(&packet, f, &frame))
			return -EBADMSG;
	if (packet.n > 0)
		return -EBADMSG;
	*ret_frame = frame;
	return 0;
}

struct address frame_login_address(const struct frame_login *login)
{
	struct address a = { .family = login->address_family, .port = login->address_port };

	must(login->address_bytes.n == sizeof a.bytes);
	memcpy(a.bytes, login->address_bytes.p, sizeof a.bytes);
	return a;
}
