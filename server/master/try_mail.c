/*
 * Each sample is a header without Date, Message-ID and To, and a body; both with bare LF, as Maildirs have them.
 * RFC 5322, 2045 to 2047; ISO-2022-JP: RFC 1468.
 */
#include "server/master/try_mail.h"

#include "base/base64.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MESSAGE_BYTES = 8 * 1024 * 1024, ATTACHMENT_BYTES = 5 * 1000 * 1000, BASE64_LINE_BYTES = 57 };

struct sample {
	const char *header, *body;
	bool attachment;  /* a large one follows the body, and the end of the MIME structure */
	bool seen;
	unsigned days_ago;
};

static const char multipart_body[] =
	"This is a message in MIME format.\n"
	"\n"
	"--outer\n"
	"Content-Type: multipart/alternative; boundary=\"inner\"\n"
	"\n"
	"--inner\n"
	"Content-Type: text/plain; charset=utf-8\n"
	"Content-Transfer-Encoding: quoted-printable\n"
	"\n"
	"The caf=C3=A9 opens at nine. The price list is attached.\n"
	"\n"
	"--inner\n"
	"Content-Type: text/html; charset=utf-8\n"
	"Content-Transfer-Encoding: quoted-printable\n"
	"\n"
	"<!DOCTYPE html><html><body><h1>News</h1><p>The <b>caf=C3=A9</b> opens at nine. =\n"
	"The price list is attached.</p></body></html>\n"
	"\n"
	"--inner--\n"
	"\n"
	"--outer\n"
	"Content-Type: text/csv; charset=us-ascii; name=\"prices.csv\"\n"
	"Content-Disposition: attachment; filename=\"prices.csv\"\n"
	"\n"
	"thing,price\n"
	"coffee,2.50\n"
	"tea,2.00\n"
	"\n"
	"--outer--\n";

static const char iso_2022_jp_body[] =
	"\033$B2V;R$5$s!\"$3$s$K$A$O!#\033(B\n"
	"\n"
	"\033$BMh=5$N2q5D$O\?eMKF|$N8a8e;0;~$+$i$G$9!#\033(B\n"
	"\033$B>l=j$OM9JX6I$NFs3,$G$9!#\033(B\n"
	"\n"
	"\033$B$h$m$7$/$*4j$$$7$^$9!#\033(B\n"
	"\033$BB@O:\033(B\n";

static const char utf_8_body[] =
	"こんにちは、世界。\n"
	"\n"
	"このメールは UTF-8 で書かれています: äöü ß € ✉ 🏣\n";

static const char large_body[] =
	"--part\n"
	"Content-Type: text/plain; charset=us-ascii\n"
	"\n"
	"Five megabytes of noise are attached.\n"
	"\n"
	"--part\n"
	"Content-Type: application/octet-stream; name=\"noise.bin\"\n"
	"Content-Disposition: attachment; filename=\"noise.bin\"\n"
	"Content-Transfer-Encoding: base64\n"
	"\n";

static const struct sample samples[] = {
	{ "From: Postmaster <postmaster@example.org>\n"
	  "Subject: Welcome\n",
	  "Hello,\n"
	  "\n"
	  "this is your mail, held until you called for it.\n"
	  "\n"
	  "-- \n"
	  "poste restante\n",
	  false, true, 5 },
	{ "From: \"News, Daily\" <news@example.net>\n"
	  "Subject: The =?UTF-8?Q?caf=C3=A9?= opens at nine\n"
	  "MIME-Version: 1.0\n"
	  "Content-Type: multipart/mixed; boundary=\"outer\"\n",
	  multipart_body, false, false, 4 },
	{ "From: =?ISO-2022-JP?B?GyRCOzNFREJATzobKEI=?= <taro@example.jp>\n"
	  "Subject: =\?ISO-2022-JP\?B\?GyRCMnE1RCROJCpDTiRpJDsbKEI=\?=\n"
	  "MIME-Version: 1.0\n"
	  "Content-Type: text/plain; charset=ISO-2022-JP\n"
	  "Content-Transfer-Encoding: 7bit\n",
	  iso_2022_jp_body, false, false, 3 },
	{ "From: Hanako <hanako@example.org>\n"
	  "Subject: =\?UTF-8\?B\?57W15paH5a2X44Go5pel5pys6KqeIOKciQ==\?=\n"
	  "MIME-Version: 1.0\n"
	  "Content-Type: text/plain; charset=utf-8\n"
	  "Content-Transfer-Encoding: 8bit\n",
	  utf_8_body, false, false, 2 },
	{ "From: Scanner <scanner@example.com>\n"
	  "Subject: A large attachment\n"
	  "MIME-Version: 1.0\n"
	  "Content-Type: multipart/mixed; boundary=\"part\"\n",
	  large_body, true, false, 1 },
};

/* Noise that is the same each time: xorshift, G. Marsaglia. */
static uint8_t next_noise(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return (uint8_t)(*state >> 8);
}

static int add_attachment(struct buf *out)
{
	uint32_t noise = 2463534242;
	int r = 0;

	for (size_t done = 0; done < ATTACHMENT_BYTES && r == 0; done += BASE64_LINE_BYTES) {
		uint8_t bytes[BASE64_LINE_BYTES];
		size_t n = ATTACHMENT_BYTES - done < BASE64_LINE_BYTES ? ATTACHMENT_BYTES - done : BASE64_LINE_BYTES;

		for (size_t i = 0; i < n; i++)
			bytes[i] = next_noise(&noise);
		r = base64_encode(slice_from(bytes, n), out);
		if (r == 0)
			r = buf_add_char(out, '\n');
	}
	return r < 0 ? r : buf_add_str(out, "\n--part--\n");
}

/* RFC 5322 3.3; names of days and months must not depend on a locale. */
static void format_date(time_t when, char ret_text[64])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	gmtime_r(&when, &tm);
	snprintf(ret_text, 64, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int compose(const struct sample *sample, const struct try_mailbox *mailbox, time_t when, struct buf *out)
{
	char date[64];

	format_date(when, date);

	int r = buf_addf(out, "Return-Path: <postmaster@example.org>\nDate: %s\nMessage-ID: <%lld.%u@try.example.org>\nTo: <%s>\n%s\n%s",
		date, (long long)when, sample->days_ago, mailbox->address, sample->header, sample->body);

	return r == 0 && sample->attachment ? add_attachment(out) : r;
}

static int write_file(const char *path, struct slice bytes, const struct try_mailbox *mailbox)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0)
			return -errno;
		slice_take(&bytes, (size_t)n);
	}
	return fchown(fd, mailbox->user_uid, mailbox->user_gid) < 0 ? -errno : 0;
}

static int store(const struct sample *sample, const struct try_mailbox *mailbox)
{
	_cleanup_buf_ struct buf message = BUF(MESSAGE_BYTES);
	char path[4096];
	time_t when = (time_t)(mailbox->now_usec / USEC_PER_SEC) - (time_t)sample->days_ago * 86400;
	int r = compose(sample, mailbox, when, &message);

	if (r < 0)
		return r;

	int n = snprintf(path, sizeof path, "%s/%s/%lld.M%uP%d.localhost,S=%zu%s", mailbox->path, sample->seen ? "cur" : "new",
		(long long)when, sample->days_ago, (int)getpid(), message.n, sample->seen ? ":2,S" : "");

	return n < (int)sizeof path ? write_file(path, buf_slice(&message), mailbox) : -ENAMETOOLONG;
}

static int make_directory(const struct try_mailbox *mailbox, const char *name)
{
	char path[4096];

	if (snprintf(path, sizeof path, "%s%s", mailbox->path, name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) < 0 || lchown(path, mailbox->user_uid, mailbox->user_gid) < 0)
		return -errno;
	return 0;
}

int try_mail_make(const struct try_mailbox *mailbox)
{
	static const char *const directories[] = { "", "/cur", "/new", "/tmp" };
	int r = 0;

	for (size_t i = 0; i < sizeof directories / sizeof *directories && r == 0; i++)
		r = make_directory(mailbox, directories[i]);
	for (size_t i = 0; i < sizeof samples / sizeof *samples && r == 0; i++)
		r = store(&samples[i], mailbox);
	return r;
}
