#include "server/imap/texts.h"

#include "base/must.h"

/* By the English text, which is also what the code says: so a text and its translation cannot be mixed up. */
static const char *const texts[][LANGUAGE_COUNT] = {
	{ "Languages follow", "使える言語の一覧です" },
	{ "Responses are in this language now", "応答を日本語にしました" },
	{ "Not a language spoken here", "その言語には対応していません" },

	{ "A mailbox cannot have that name", "その名前はメールボックスに使えません" },
	{ "A message cannot be empty", "空のメッセージは保存できません" },
	{ "A message cannot contain NUL", "メッセージに NUL を含めることはできません" },
	{ "A symbolic link is in the way, which is never followed",
		"シンボリックリンクがあるため開けません" },
	{ "Another mailbox has that use", "その用途には別のメールボックスが使われています" },
	{ "INBOX cannot be deleted", "INBOX は削除できません" },
	{ "Literal is too long", "データが大きすぎます" },
	{ "No mailbox can have such a use here", "その用途のメールボックスは作れません" },
	{ "No mailbox is selected", "メールボックスが選択されていません" },
	{ "No messages were found", "メッセージが見つかりません" },
	{ "No space is left for mail", "メールを保存する空き容量がありません" },
	{ "No such mailbox", "そのメールボックスはありません" },
	{ "No such quota root", "その容量制限はありません" },
	{ "No such system flag can be stored", "そのフラグは付けられません" },
	{ "Search text is not in its charset", "検索語の文字コードが正しくありません" },
	{ "Search text is too long", "検索語が長すぎます" },
	{ "Some of the messages were expunged", "一部のメッセージはすでに削除されています" },
	{ "Some were changed meanwhile", "一部のメッセージは先に変更されていました" },
	{ "Some were changed, some expunged meanwhile",
		"一部のメッセージは先に変更または削除されていました" },
	{ "That is the administrator's to say", "管理者だけが変更できます" },
	{ "The file system of the mailbox is read-only", "メールボックスは読み取り専用です" },
	{ "The mail directory does not permit this", "メールの保存場所の権限がありません" },
	{ "The mailbox has too many keywords", "メールボックスのキーワードが多すぎます" },
	{ "The mailbox is locked by another program; try again later",
		"別のプログラムがメールボックスを使用中です。後でもう一度お試しください" },
	{ "The mailbox name is too long or has too many levels",
		"メールボックスの名前が長すぎるか、階層が深すぎます" },
	{ "The mailbox was opened read-only, by EXAMINE",
		"メールボックスは読み取り専用で開かれています" },
	{ "The message is too large", "メッセージが大きすぎます" },
	{ "The quota is set by the administrator", "容量の制限は管理者が決めています" },
	{ "The value is too large", "値が大きすぎます" },
	{ "There are too many annotations", "注釈が多すぎます" },
	{ "There are too many mailboxes", "メールボックスが多すぎます" },
	{ "There are too many subscriptions", "購読しているメールボックスが多すぎます" },
	{ "There is a mailbox of that name", "同じ名前のメールボックスがあります" },
	{ "There is more mail than the quota allows", "メールの容量の上限を超えています" },
	{ "This is no mailbox, only the beginning of the names of others",
		"メールボックスではなく、名前の途中の階層です" },
	{ "Too many messages for THREAD", "スレッドにするにはメッセージが多すぎます" },
	{ "Unknown charset", "その文字コードには対応していません" },
	{ "Unknown command", "不明なコマンドです" },
	{ "Syntax error in the arguments", "コマンドの引数が正しくありません" },
	{ "You are logged in already", "すでにログインしています" },

	{ "Closed by the administrator", "管理者が接続を切りました" },
	{ "Idle for too long", "長い間操作がありませんでした" },
	{ "[UNAVAILABLE] A fault in the mailbox",
		"[UNAVAILABLE] メールボックスに問題が起きました" },
	{ "[UNAVAILABLE] The server is stopping; try again in a moment",
		"[UNAVAILABLE] サーバーを停止します。しばらくしてからもう一度お試しください" },
};

enum { TEXTS = sizeof texts / sizeof *texts };

const char *imap_text(enum language language, const char *english)
{
	must(language < LANGUAGE_COUNT);
	for (size_t i = 0; language != LANGUAGE_ENGLISH && i < TEXTS; i++)
		if (strcmp(texts[i][LANGUAGE_ENGLISH], english) == 0)
			return texts[i][language];
	return english;
}

void imap_write_completed(struct writer *w, enum language language, const char *command)
{
	write_format(w, language == LANGUAGE_JAPANESE ? "%s を完了しました" : "%s completed", command);
}

const char *imap_text_row(size_t n)
{
	return n < TEXTS ? texts[n][LANGUAGE_ENGLISH] : NULL;
}
