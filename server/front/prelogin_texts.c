#include "server/front/prelogin_texts.h"

#include "base/must.h"

#include <stddef.h>
#include <string.h>

/* By the English text, which is also what the code says: so a text and its translation cannot be mixed up. */
static const char *const texts[][LANGUAGE_COUNT] = {
	{ "Languages follow", "使える言語の一覧です" },
	{ "Responses are in this language now", "応答を日本語にしました" },
	{ "NO [CANNOT] Not a language spoken here", "NO [CANNOT] その言語には対応していません" },
	{ "Capabilities listed", "機能の一覧です" },
	{ "Done", "完了しました" },
	{ "Bye", "さようなら" },
	{ "Thank you", "ありがとうございます" },
	{ "Begin TLS now", "TLS を始めてください" },
	{ "NO [PRIVACYREQUIRED] Not without TLS: set SSL/TLS (port 993) or STARTTLS in your mail "
	  "program",
		"NO [PRIVACYREQUIRED] TLS なしでは使えません。メールソフトで SSL/TLS (ポート 993) "
		"か STARTTLS "
		"を設定してください" },
	{ "NO Mechanism not offered; PLAIN is",
		"NO その認証方式には対応していません。PLAIN を使ってください" },
	{ "BAD User name or password of a length that cannot be",
		"BAD ユーザー名またはパスワードの長さが正しくありません" },
	{ "BAD Authentication cancelled", "BAD 認証を取り消しました" },

	{ "Logged in", "ログインしました" },
	{ "[AUTHENTICATIONFAILED] Wrong user name or password",
		"[AUTHENTICATIONFAILED] ユーザー名またはパスワードが違います" },
	{ "[EXPIRED] The password or the account has expired",
		"[EXPIRED] パスワードまたはアカウントの有効期限が切れています" },
	{ "[AUTHORIZATIONFAILED] This account may not be used here",
		"[AUTHORIZATIONFAILED] このアカウントはここでは使えません" },
	{ "[UNAVAILABLE] A fault on the server; try again later",
		"[UNAVAILABLE] "
		"サーバーに問題が起きました。しばらくしてからもう一度お試しください" },
	{ "[UNAVAILABLE] Too many failed logins; try again later",
		"[UNAVAILABLE] "
		"ログインの失敗が多すぎます。しばらくしてからもう一度お試しください" },
	{ "[INUSE] The mailbox is in use", "[INUSE] メールボックスは使用中です" },
	{ "[LIMIT] Too many connections of this user", "[LIMIT] このユーザーの接続が多すぎます" },

	{ "[UNAVAILABLE] The server is stopping; try again soon",
		"[UNAVAILABLE] サーバーを停止します。しばらくしてからもう一度お試しください" },
	{ "No login for too long", "長い間ログインがありませんでした" },
	{ "Too many bad commands", "正しくないコマンドが多すぎます" },
	{ "Too many failed logins", "ログインの失敗が多すぎます" },
};

const char *prelogin_text(enum language language, const char *english)
{
	must(language < LANGUAGE_COUNT);
	for (size_t i = 0; language != LANGUAGE_ENGLISH && i < sizeof texts / sizeof *texts; i++)
		if (strcmp(texts[i][LANGUAGE_ENGLISH], english) == 0)
			return texts[i][language];
	return english;
}
