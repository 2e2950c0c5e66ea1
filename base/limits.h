/* limits.h - every limit on what comes from outside, in one place. Man pages name these. */
#pragma once

enum {
	/* Before login: nobody is known yet, so little is taken. */
	LIMIT_PRELOGIN_LINE_BYTES = 8192,    /* one command line without its literals */
	LIMIT_PRELOGIN_LITERAL_BYTES = 1024, /* one literal: a user name or a password */
	LIMIT_PRELOGIN_BAD_COMMANDS = 10,    /* then the connection is closed */
	LIMIT_PIPELINE_BYTES = 64 * 1024,    /* held in the front while a login is under way */

	/* Credentials. */
	LIMIT_USER_BYTES = 255,
	LIMIT_PASSWORD_BYTES = 1024,

	/* Accounts. */
	LIMIT_GROUPS = 64,
	LIMIT_PATH_BYTES = 1024,
	LIMIT_NAME_BYTES = 255,   /* a mailbox name on disk: all levels, and a dot before each */
	LIMIT_MAILBOX_LEVELS = 32,
	LIMIT_MAILBOXES = 10000, /* of one user: none is created beyond */
	LIMIT_SUBSCRIPTIONS_BYTES = 1024 * 1024, /* of the file */
	LIMIT_METADATA_ENTRIES = 100, /* annotations of a mailbox, or of the server; RFC 5464 asks for 10 at least */
	LIMIT_METADATA_NAME_BYTES = 255,
	LIMIT_METADATA_VALUE_BYTES = 16 * 1024, /* of one; RFC 5464 asks for 1024 at least */
	LIMIT_METADATA_BYTES = 256 * 1024,      /* of all of a mailbox, as they are stored */

	/* The channel between front and session. */
	LIMIT_CHANNEL_DATA_BYTES = 65536,   /* payload of one DATA frame */
	LIMIT_CHANNEL_IN_BYTES = 256 * 1024, /* read but not yet understood, each way */

	/* A connection in a session. */
	LIMIT_COMMAND_LINE_BYTES = 64 * 1024,     /* one command line without its literals */
	LIMIT_COMMAND_LITERAL_BYTES = 256 * 1024, /* literals of one command, APPEND's excepted */
	LIMIT_SKIP_BYTES = 256 * 1024 * 1024,     /* of a command that is refused and read over */
	LIMIT_BAD_COMMANDS = 50,                  /* in a row, then the connection is closed */
	LIMIT_OUTPUT_HIGH_WATER_BYTES = 128 * 1024, /* a command waits while more is unsent */
	LIMIT_OUTPUT_BYTES = 8 * 1024 * 1024, /* hard maximum of unsent output of a connection */
	LIMIT_LIST_DEPTH = 32,   /* parentheses in a command */
	LIMIT_SEARCH_KEYS = 1000,
	LIMIT_LIST_PATTERNS = 100, /* of one LIST */
	LIMIT_COMMAND_MESSAGES = 1000000, /* one IMAP command works on (RFC 9738); the highest UIDs are taken */
	LIMIT_SORT_CRITERIA = 32,             /* of one SORT */
	LIMIT_SORT_BYTES = 256 * 1024 * 1024, /* of the keys of all messages that one SORT compares */
	LIMIT_THREAD_MESSAGES = 1000 * 1000,  /* of one THREAD */
	LIMIT_CONTEXTS = 16,                  /* searches that a connection is told changes of (RFC 5267) */
	LIMIT_NOTIFY_MAILBOXES = 1000,        /* that a connection is told of by NOTIFY (RFC 5465) */
	LIMIT_POP3_LINE_BYTES = 512, /* RFC 2449 section 4 asks for 255 at least */

	/* Messages. */
	LIMIT_MESSAGE_BYTES = 256 * 1024 * 1024, /* of one that is appended */
	LIMIT_MIME_DEPTH = 100,
	LIMIT_MIME_PARTS = 10000,
	LIMIT_HEADER_BYTES = 1024 * 1024, /* of one header: fields beyond are not looked at */
	LIMIT_ADDRESSES = 10000,          /* in one header field of an ENVELOPE */
	LIMIT_REOPENS = 3,                /* of a mailbox that others delete while one command opens it */
	LIMIT_KEYWORDS = 64,              /* different keywords in one mailbox */
	LIMIT_INDEX_MIB = 16 * 1024,      /* of one user on disk; a larger one is made anew */
	LIMIT_EXPUNGE_LOG = 65536,        /* messages of one mailbox remembered as expunged */
};
