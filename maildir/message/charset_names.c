#include "maildir/message/charset_names.h"

/* CP874, not TIS-620 and so on: who labels by the standard often means the vendor's superset. */
static const struct charset charsets[] = {
	{ "UTF-8", NULL, CHARSET_UTF8 },
	{ "US-ASCII", NULL, CHARSET_GUESS },
	{ "ISO-2022-JP", "EUC-JP-MS", CHARSET_ISO_2022_JP },
	{ "Shift_JIS", "CP932", CHARSET_ICONV },
	{ "EUC-JP", "EUC-JP-MS", CHARSET_ICONV },
	{ "ISO-2022-JP-2004", "EUC-JISX0213", CHARSET_ISO_2022_JP },
	{ "ISO-2022-JP-2", "ISO-2022-JP-2", CHARSET_ICONV },
	{ "Shift_JIS-2004", "SHIFT_JISX0213", CHARSET_ICONV },
	{ "EUC-JIS-2004", "EUC-JISX0213", CHARSET_ICONV },
	{ "GB18030", "GB18030", CHARSET_ICONV },
	{ "Big5", "CP950", CHARSET_ICONV },
	{ "Big5-HKSCS", "BIG5-HKSCS", CHARSET_ICONV },
	{ "EUC-TW", "EUC-TW", CHARSET_ICONV },
	{ "ISO-2022-CN", "ISO-2022-CN", CHARSET_ICONV },
	{ "EUC-KR", "CP949", CHARSET_ICONV },
	{ "ISO-2022-KR", "ISO-2022-KR", CHARSET_ICONV },
	{ "JOHAB", "JOHAB", CHARSET_ICONV },
	{ "windows-1252", "CP1252", CHARSET_ICONV },
	{ "windows-1250", "CP1250", CHARSET_ICONV },
	{ "windows-1251", "CP1251", CHARSET_ICONV },
	{ "windows-1253", "CP1253", CHARSET_ICONV },
	{ "windows-1254", "CP1254", CHARSET_ICONV },
	{ "windows-1255", "CP1255", CHARSET_ICONV },
	{ "windows-1256", "CP1256", CHARSET_ICONV },
	{ "windows-1257", "CP1257", CHARSET_ICONV },
	{ "windows-1258", "CP1258", CHARSET_ICONV },
	{ "windows-874", "CP874", CHARSET_ICONV },
	{ "ISO-8859-2", "ISO-8859-2", CHARSET_ICONV },
	{ "ISO-8859-3", "ISO-8859-3", CHARSET_ICONV },
	{ "ISO-8859-4", "ISO-8859-4", CHARSET_ICONV },
	{ "ISO-8859-5", "ISO-8859-5", CHARSET_ICONV },
	{ "ISO-8859-6", "ISO-8859-6", CHARSET_ICONV },
	{ "ISO-8859-7", "ISO-8859-7", CHARSET_ICONV },
	{ "ISO-8859-8", "ISO-8859-8", CHARSET_ICONV },
	{ "ISO-8859-10", "ISO-8859-10", CHARSET_ICONV },
	{ "ISO-8859-13", "ISO-8859-13", CHARSET_ICONV },
	{ "ISO-8859-14", "ISO-8859-14", CHARSET_ICONV },
	{ "ISO-8859-15", "ISO-8859-15", CHARSET_ICONV },
	{ "ISO-8859-16", "ISO-8859-16", CHARSET_ICONV },
	{ "KOI8-R", "KOI8-R", CHARSET_ICONV },
	{ "KOI8-U", "KOI8-U", CHARSET_ICONV },
	{ "IBM437", "CP437", CHARSET_ICONV },
	{ "IBM850", "CP850", CHARSET_ICONV },
	{ "IBM852", "CP852", CHARSET_ICONV },
	{ "IBM855", "CP855", CHARSET_ICONV },
	{ "IBM862", "CP862", CHARSET_ICONV },
	{ "IBM866", "CP866", CHARSET_ICONV },
	{ "VISCII", "VISCII", CHARSET_ICONV },
	{ "macintosh", "MACINTOSH", CHARSET_ICONV },
	{ "UTF-7", "UTF-7", CHARSET_ICONV },
	{ "UTF-16", "UTF-16", CHARSET_ICONV },
	{ "UTF-16BE", "UTF-16BE", CHARSET_ICONV },
	{ "UTF-16LE", "UTF-16LE", CHARSET_ICONV },
	{ "UTF-32", "UTF-32", CHARSET_ICONV },
};

/* Other names, without hyphens and the like. An "x-" or "cs" in front need not be listed. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{ "ascii", "US-ASCII" },
	{ "ansix341968", "US-ASCII" },
	{ "iso646us", "US-ASCII" },
	{ "unicode11utf8", "UTF-8" },
	{ "unicode11utf7", "UTF-7" },
	{ "utf8mb4", "UTF-8" },
	{ "jis", "ISO-2022-JP" },
	{ "jisencoding", "ISO-2022-JP" },
	{ "iso2022jpms", "ISO-2022-JP" },
	{ "iso2022jp1", "ISO-2022-JP" },
	{ "cp50220", "ISO-2022-JP" },
	{ "cp50221", "ISO-2022-JP" },
	{ "cp50222", "ISO-2022-JP" },
	{ "windowsiso2022jp", "ISO-2022-JP" },
	{ "iso2022jp3", "ISO-2022-JP-2004" },
	{ "sjis", "Shift_JIS" },
	{ "mskanji", "Shift_JIS" },
	{ "cp932", "Shift_JIS" },
	{ "ms932", "Shift_JIS" },
	{ "windows31j", "Shift_JIS" },
	{ "windows932", "Shift_JIS" },
	{ "ujis", "EUC-JP" },
	{ "euc", "EUC-JP" },
	{ "eucjpms", "EUC-JP" },
	{ "eucjpwin", "EUC-JP" },
	{ "cp51932", "EUC-JP" },
	{ "eucpkdfmtjapanese", "EUC-JP" },
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "cp936", "GB18030" },
	{ "windows936", "GB18030" },
	{ "euccn", "GB18030" },
	{ "gb231280", "GB18030" },
	{ "cp950", "Big5" },
	{ "windows950", "Big5" },
	{ "bigfive", "Big5" },
	{ "ksc56011987", "EUC-KR" },
	{ "ksc5601", "EUC-KR" },
	{ "cp949", "EUC-KR" },
	{ "uhc", "EUC-KR" },
	{ "windows949", "EUC-KR" },
	{ "iso88591", "windows-1252" },
	{ "iso885911987", "windows-1252" },
	{ "latin1", "windows-1252" },
	{ "latin2", "ISO-8859-2" },
	{ "latin5", "windows-1254" },
	{ "latin9", "ISO-8859-15" },
	{ "isolatin1", "windows-1252" },
	{ "l1", "windows-1252" },
	{ "ansi", "windows-1252" },
	{ "iso88599", "windows-1254" },
	{ "iso88598i", "ISO-8859-8" },
	{ "iso88598e", "ISO-8859-8" },
	{ "iso88596i", "ISO-8859-6" },
	{ "iso885911", "windows-874" },
	{ "tis620", "windows-874" },
	{ "cyrillic", "ISO-8859-5" },
	{ "greek", "ISO-8859-7" },
	{ "hebrew", "ISO-8859-8" },
	{ "arabic", "ISO-8859-6" },
	{ "koi8", "KOI8-R" },
	{ "koi8ru", "KOI8-U" },
	{ "mac", "macintosh" },
	{ "macroman", "macintosh" },
	{ "dos437", "IBM437" },
	{ "unicode", "UTF-16" },
	{ "ucs2", "UTF-16BE" },
	{ "iso10646ucs2", "UTF-16BE" },
	{ "ucs4", "UTF-32" },
};

enum { NAME_BYTES = 32 };

/* Letters and digits only, in lower case. Returns false if they are too many, or none. */
static bool normalise(struct slice name, char ret_key[NAME_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);

		if (!ascii_is_alpha(c) && !ascii_is_digit(c))
			continue;
		if (n == NAME_BYTES - 1)
			return false;
		ret_key[n++] = c;
	}
	ret_key[n] = '\0';
	return n > 0;
}

static bool has_key(const char *name, const char *key)
{
	char its_key[NAME_BYTES];

	return normalise(slice_str(name), its_key) && strcmp(its_key, key) == 0;
}

/* Find by the normalised preferred name. */
static const struct charset *find_name(const char *key)
{
	for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
		if (has_key(charsets[i].name, key))
			return &charsets[i];
	return NULL;
}

static const struct charset *find_alias(const char *key)
{
	char name_key[NAME_BYTES];

	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcmp(aliases[i].alias, key) == 0 && normalise(slice_str(aliases[i].name), name_key))
			return find_name(name_key);
	return NULL;
}

/* "cp1251", "ibm866", "windows866" and the like: a code page by its number. */
static const struct charset *find_code_page(const char *key)
{
	static const char *const prefixes[] = { "cp", "ibm", "windows", "win", "ms" };
	char iconv_name[NAME_BYTES + 2] = "CP";
	const char *digits = key + strcspn(key, "0123456789");
	bool known = false;

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		known |= strlen(prefixes[i]) == (size_t)(digits - key) &&
			strncmp(key, prefixes[i], (size_t)(digits - key)) == 0;
	memcpy(iconv_name + 2, digits, strlen(digits) + 1);
	for (size_t i = 0; known && i < sizeof charsets / sizeof *charsets; i++)
		if (charsets[i].iconv_name && strcmp(charsets[i].iconv_name, iconv_name) == 0)
			return &charsets[i];
	return NULL;
}

static const struct charset *find_key(const char *key)
{
	const struct charset *found = find_name(key);

	if (!found)
		found = find_alias(key);
	return found ? found : find_code_page(key);
}

const struct charset *charset_find(struct slice name)
{
	char key[NAME_BYTES];

	if (!normalise(name, key))
		return NULL;

	const struct charset *found = find_key(key);

	if (!found && key[0] == 'x')
		found = find_key(key + 1);
	if (!found && key[0] == 'c' && key[1] == 's')
		found = find_key(key + 2);
	return found;
}

const struct charset *charset_at(size_t i)
{
	return i < sizeof charsets / sizeof *charsets ? &charsets[i] : NULL;
}
