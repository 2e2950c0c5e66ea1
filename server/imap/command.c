#include "server/imap/command.h"

#include "server/imap/cmd_any.h"
#include "server/imap/cmd_append.h"
#include "server/imap/cmd_copy.h"
#include "server/imap/cmd_expunge.h"
#include "server/imap/cmd_fetch.h"
#include "server/imap/cmd_idle.h"
#include "server/imap/cmd_list.h"
#include "server/imap/cmd_lsub.h"
#include "server/imap/cmd_multisearch.h"
#include "server/imap/cmd_mailbox.h"
#include "server/imap/cmd_metadata.h"
#include "server/imap/cmd_notify.h"
#include "server/imap/cmd_quota.h"
#include "server/imap/cmd_search.h"
#include "server/imap/cmd_select.h"
#include "server/imap/cmd_status.h"
#include "server/imap/cmd_store.h"
#include "server/imap/cmd_thread.h"
#include "server/imap/search_context.h"
#include "server/wire/token.h"

/* From typed grammar to the table's one form. */
#define PARSE_INTO(function, member)                                                               \
	static enum parse parse_##function(                                                        \
		struct slice *in, struct grammar *g, union arguments *ret_arguments)               \
	{                                                                                          \
		return grammar_##function(in, g, &ret_arguments->member);                          \
	}
PARSE_INTO(select, mailbox)
PARSE_INTO(select_parameters, select)
PARSE_INTO(rename, rename)
PARSE_INTO(status, status)
PARSE_INTO(list, list)
PARSE_INTO(lsub, list)
PARSE_INTO(notify, notify)
PARSE_INTO(fetch, fetch)
PARSE_INTO(store, store)
PARSE_INTO(search, search)
PARSE_INTO(sort, search)
PARSE_INTO(thread, search)
PARSE_INTO(multisearch, search)
PARSE_INTO(cancelupdate, cancel)
PARSE_INTO(enable, enable)
PARSE_INTO(language, language)
PARSE_INTO(set, set)
PARSE_INTO(copy, set)
PARSE_INTO(append, append)
PARSE_INTO(replace, append)
PARSE_INTO(getquota, quota)
PARSE_INTO(setquota, quota)
PARSE_INTO(getmetadata, metadata)
PARSE_INTO(setmetadata, metadata)
PARSE_INTO(create, create)

static enum parse parse_nothing(
	struct slice *in, struct grammar *grammar, union arguments *ret_arguments)
{
	(void)ret_arguments;
	return grammar_nothing(in, grammar);
}

static enum parse parse_id(
	struct slice *in, struct grammar *grammar, union arguments *ret_arguments)
{
	(void)ret_arguments;
	return grammar_id(in, grammar);
}

static enum parse parse_compress(
	struct slice *in, struct grammar *grammar, union arguments *ret_arguments)
{
	(void)ret_arguments;
	return grammar_compress(in, grammar);
}

enum {
	NOT_AUTH = 1 << IMAP_NOT_AUTHENTICATED,
	AUTH = 1 << IMAP_AUTHENTICATED | 1 << IMAP_SELECTED,
	SELECTED = 1 << IMAP_SELECTED,
	ANY = NOT_AUTH | AUTH,
	BY_UID = COMMAND_BY_UID,
	NO_EXPUNGE = COMMAND_NO_EXPUNGE,
	BY_NUMBER = COMMAND_BY_NUMBER,
	READ_WRITE = COMMAND_READ_WRITE,
	WAITS = COMMAND_WAITS,
	NO_SYNC = COMMAND_NO_SYNC,
	MESSAGE = COMMAND_MESSAGE,
};

static const struct command_type commands[] = {
	{ "CAPABILITY", ANY, 0, parse_nothing, cmd_capability, NULL, "9051 6.1.1" },
	{ "NOOP", ANY, 0, parse_nothing, cmd_noop, NULL, "9051 6.1.2" },
	{ "LOGOUT", ANY, NO_SYNC, parse_nothing, cmd_logout, NULL, "9051 6.1.3" },
	{ "LANGUAGE", ANY, 0, parse_language, cmd_language, NULL, "5255 3.2" },
	{ "ID", ANY, 0, parse_id, cmd_id, NULL, "2971 3.1" },

	{ "STARTTLS", NOT_AUTH, 0, NULL, NULL, NULL, "9051 6.2.1" },
	{ "AUTHENTICATE", NOT_AUTH, 0, NULL, NULL, NULL, "9051 6.2.2" },
	{ "LOGIN", NOT_AUTH, 0, NULL, NULL, NULL, "9051 6.2.3" },

	{ "COMPRESS", AUTH, 0, parse_compress, cmd_compress, NULL, "4978 3" },
	{ "ENABLE", AUTH, 0, parse_enable, cmd_enable, NULL, "9051 6.3.1" },
	{ "SELECT", AUTH, NO_SYNC, parse_select_parameters, cmd_select, end_select,
		"9051 6.3.2" },
	{ "EXAMINE", AUTH, NO_SYNC, parse_select_parameters, cmd_examine, end_select,
		"9051 6.3.3" },
	{ "CREATE", AUTH, 0, parse_create, cmd_create, end_create, "9051 6.3.4" },
	{ "DELETE", AUTH, 0, parse_select, cmd_delete, NULL, "9051 6.3.5" },
	{ "RENAME", AUTH, 0, parse_rename, cmd_rename, end_rename, "9051 6.3.6" },
	{ "SUBSCRIBE", AUTH, 0, parse_select, cmd_subscribe, NULL, "9051 6.3.7" },
	{ "UNSUBSCRIBE", AUTH, 0, parse_select, cmd_unsubscribe, NULL, "9051 6.3.8" },
	{ "LIST", AUTH, 0, parse_list, cmd_list, end_list, "9051 6.3.9" },
	{ "LSUB", AUTH, 0, parse_lsub, cmd_lsub, NULL, "3501 6.3.9" },
	{ "NAMESPACE", AUTH, 0, parse_nothing, cmd_namespace, NULL, "9051 6.3.10" },
	{ "STATUS", AUTH, 0, parse_status, cmd_status, end_status, "9051 6.3.11" },
	{ "APPEND", AUTH, MESSAGE, parse_append, cmd_append, end_append, "9051 6.3.12" },
	{ "GETQUOTA", AUTH, 0, parse_getquota, cmd_getquota, NULL, "9208 4.1.1" },
	{ "GETQUOTAROOT", AUTH, 0, parse_select, cmd_getquotaroot, NULL, "9208 4.1.2" },
	{ "GETMETADATA", AUTH, 0, parse_getmetadata, cmd_getmetadata, NULL, "5464 4.2" },
	{ "SETMETADATA", AUTH, COMMAND_LITERAL8, parse_setmetadata, cmd_setmetadata, NULL,
		"5464 4.3" },
	{ "SETQUOTA", AUTH, 0, parse_setquota, cmd_setquota, NULL, "9208 4.1.3" },
	{ "NOTIFY", AUTH, 0, parse_notify, cmd_notify, end_notify, "5465 3.1" },
	{ "IDLE", AUTH, WAITS, parse_nothing, cmd_idle, NULL, "9051 6.3.13" },

	{ "CHECK", SELECTED, 0, parse_nothing, cmd_noop, NULL, "3501 6.4.1" },
	{ "CLOSE", SELECTED, NO_SYNC, parse_nothing, cmd_close, NULL, "9051 6.4.1" },
	{ "UNSELECT", SELECTED, NO_SYNC, parse_nothing, cmd_unselect, NULL, "9051 6.4.2" },
	{ "EXPUNGE", SELECTED, READ_WRITE, parse_nothing, cmd_expunge, NULL, "9051 6.4.3" },
	{ "UID EXPUNGE", SELECTED, BY_UID | READ_WRITE, parse_set, cmd_uid_expunge, NULL,
		"9051 6.4.9" },
	{ "SEARCH", SELECTED, NO_EXPUNGE, parse_search, cmd_search, end_search, "9051 6.4.4" },
	{ "UID SEARCH", SELECTED, BY_UID, parse_search, cmd_search, end_search, "9051 6.4.9" },
	{ "SORT", SELECTED, NO_EXPUNGE, parse_sort, cmd_search, end_search, "5256 3" },
	{ "UID SORT", SELECTED, BY_UID, parse_sort, cmd_search, end_search, "5256 3" },
	{ "THREAD", SELECTED, NO_EXPUNGE, parse_thread, cmd_thread, end_thread, "5256 3" },
	{ "UID THREAD", SELECTED, BY_UID, parse_thread, cmd_thread, end_thread, "5256 3" },
	{ "ESEARCH", AUTH, BY_UID, parse_multisearch, cmd_multisearch, end_multisearch, "7377 2" },
	{ "CANCELUPDATE", SELECTED, 0, parse_cancelupdate, cmd_cancelupdate, NULL, "5267 4.3.5" },
	{ "FETCH", SELECTED, NO_EXPUNGE, parse_fetch, cmd_fetch, end_fetch, "9051 6.4.5" },
	{ "UID FETCH", SELECTED, BY_UID, parse_fetch, cmd_fetch, end_fetch, "9051 6.4.9" },
	{ "STORE", SELECTED, NO_EXPUNGE | READ_WRITE, parse_store, cmd_store, NULL, "9051 6.4.6" },
	{ "UID STORE", SELECTED, BY_UID | READ_WRITE, parse_store, cmd_store, NULL, "9051 6.4.9" },
	{ "REPLACE", SELECTED, MESSAGE | BY_NUMBER | READ_WRITE, parse_replace, cmd_append, end_append,
		"8508 3.2" },
	{ "UID REPLACE", SELECTED, MESSAGE | BY_UID | READ_WRITE, parse_replace, cmd_append,
		end_append, "8508 3.3" },
	{ "COPY", SELECTED, NO_EXPUNGE, parse_copy, cmd_copy, end_copy, "9051 6.4.7" },
	{ "UID COPY", SELECTED, BY_UID, parse_copy, cmd_copy, end_copy, "9051 6.4.9" },
	{ "MOVE", SELECTED, BY_NUMBER | READ_WRITE, parse_copy, cmd_move, end_copy, "9051 6.4.8" },
	{ "UID MOVE", SELECTED, BY_UID | READ_WRITE, parse_copy, cmd_move, end_copy, "9051 6.4.9" },
};

enum { COMMANDS = sizeof commands / sizeof *commands };

const struct command_type *command_row(size_t i)
{
	return i < COMMANDS ? &commands[i] : NULL;
}

/* The length of "NAME" or "UID NAME" at the front. */
static size_t name_length(struct slice in)
{
	struct slice s = in, word;

	if (token_atom(&s, &word) != PARSE_OK)
		return 0;
	if (slice_equal_nocase(word, SLICE("UID"))) {
		struct slice rest = s;

		if (token_space(&rest) == PARSE_OK && token_atom(&rest, &word) == PARSE_OK)
			s = rest;
	}
	return in.n - s.n;
}

const struct command_type *command_take(struct slice *in)
{
	struct slice name = slice_head(*in, name_length(*in));

	for (size_t i = 0; i < COMMANDS; i++)
		if (slice_equal_nocase(name, slice_str(commands[i].name))) {
			*in = slice_tail(*in, name.n);
			return &commands[i];
		}
	return NULL;
}
