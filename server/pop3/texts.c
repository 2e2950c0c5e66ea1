#include "server/pop3/texts.h"

#include "base/must.h"
#include "server/wire/language.h"

static const struct {
	const char *tag, *name;
} languages[POP3_LANGUAGE_COUNT] = {
	[POP3_ENGLISH] = { "en", "English" },
	[POP3_JAPANESE] = { "ja", "日本語" },
};

/* Each fits a reply line of 512 octets with what is put before it (RFC 2449 section 4). */
static const char *const texts[TEXT_COUNT][POP3_LANGUAGE_COUNT] = {
	[TEXT_CAPABILITIES] = { "Capabilities follow", "対応している機能の一覧です" },
	[TEXT_LISTING] = { "messages follow", "通のメッセージの一覧です" },
	[TEXT_MESSAGE] = { "octets follow", "オクテットのメッセージを送ります" },
	[TEXT_TOP] = { "Top of message follows", "メッセージの先頭部分を送ります" },
	[TEXT_DELETED] = { "Marked for deletion at QUIT", "QUIT の際に削除します" },
	[TEXT_ALREADY_DELETED] = { "That message is marked as deleted",
		"そのメッセージは削除の対象です" },
	[TEXT_NO_SUCH_MESSAGE] = { "No such message", "その番号のメッセージはありません" },
	[TEXT_GONE] = { "Another mail program removed that message",
		"そのメッセージは別のメールソフトが削除しました" },
	[TEXT_UNREADABLE] = { "That message cannot be read now",
		"そのメッセージは今は読み出せません" },
	[TEXT_NOOP] = { "Done", "完了しました" },
	[TEXT_RESET] = { "Nothing is marked for deletion now", "削除の対象をすべて取り消しました" },
	[TEXT_LANGUAGES] = { "Languages follow", "使える言語の一覧です" },
	[TEXT_LANGUAGE_CHANGED] = { "Replies are in English now", "応答を日本語にしました" },
	[TEXT_LANGUAGE_UNKNOWN] = { "Not a language spoken here", "その言語には対応していません" },
	[TEXT_UTF8] = { "UTF-8 mode", "UTF-8 モードにしました" },
	[TEXT_SIGNING_OFF] = { "Bye", "終了します" },
	[TEXT_NOT_ALL_REMOVED] = { "some deleted messages not removed",
		"削除できなかったメッセージがあります" },
	[TEXT_UNKNOWN_COMMAND] = { "Unknown command", "不明なコマンドです" },
	[TEXT_BAD_ARGUMENTS] = { "Bad arguments", "コマンドの引数が正しくありません" },
	[TEXT_ALREADY_LOGGED_IN] = { "You are logged in already", "すでにログインしています" },
	[TEXT_LINE_TOO_LONG] = { "Line too long", "行が長すぎます" },
	[TEXT_TOO_MANY_ERRORS] = { "Too many errors", "誤りが多すぎます" },
	[TEXT_MAILDROP_FAULT] = { "The mailbox has a fault", "メールボックスに問題が起きました" },
	[TEXT_SHUTDOWN] = { "The server is stopping; try again soon",
		"サーバーを停止します。後でもう一度お試しください" },
	[TEXT_KICKED] = { "Closed by the administrator", "管理者が接続を切りました" },
};

const char *pop3_text(enum pop3_language language, enum pop3_text text)
{
	must(language < POP3_LANGUAGE_COUNT && text < TEXT_COUNT);
	return texts[text][language];
}

const char *pop3_language_tag(enum pop3_language language)
{
	must(language < POP3_LANGUAGE_COUNT);
	return languages[language].tag;
}

const char *pop3_language_name(enum pop3_language language)
{
	must(language < POP3_LANGUAGE_COUNT);
	return languages[language].name;
}

bool pop3_language_find(struct slice range, enum pop3_language *ret_language)
{
	if (slice_equal(range, SLICE("*"))) {
		*ret_language = POP3_ENGLISH;
		return true;
	}
	for (enum pop3_language i = 0; i < POP3_LANGUAGE_COUNT; i++) {
		if (language_matches(range, slice_str(languages[i].tag))) {
			*ret_language = i;
			return true;
		}
	}
	return false;
}
