/*
 * Power loss: the writes, renames, links, removals and syncs of a load are recorded; then the disk is made up as it may
 * be found after the power went at any point between two of them, and opened by a store that knows nothing.
 *
 * What a disk may have, with the weakest promises that are of use (POSIX, and that a rename is one step):
 *   data       what fsync() of the file did not cover is there, missing, zeros block by block, or in part;
 *   names      a change of a directory that no fsync() of that directory covered has happened or not, each by itself,
 *              but for changes of one name, which happen in order; fsync() of a file says nothing about its name;
 *   rename     happened or not, never half; made durable by fsync() of either directory;
 *   index      gone: one that another boot left unsynced is dropped.
 *
 * What must be so then, for everything acknowledged before that point; what was under way is done or not:
 *                                                                optimized   always   never
 *   a message that was added, copied or moved is there, whole,       yes       yes      no
 *     under its UID, with its INTERNALDATE; UIDVALIDITY is the same
 *   a UID that was shown means that message or none                  yes       yes      no
 *   mailboxes made, deleted and renamed; subscriptions               yes       yes      no
 *   flags and keywords are those of the last STORE                   no (1)    yes      no
 *   what was expunged, or moved away, is gone                        no (2)    yes      no
 *   what is moved is in one of the two mailboxes                               yes
 *   (1) they are those of one STORE or another; those that a message was added with are there
 *   (2) it is back under its UID, or a new one
 *
 * A lock file that was not written whole names no holder: it stands for two minutes, as any such lock does.
 *
 * `make check` tries a seeded choice of points; POWER_LOSS_ALL=1 tries all. POWER_LOSS_SEED: where the dice begin.
 */
#include "tests/unit/interpose.h"

#include "tests/unit/maildir_world.h"

#include <sys/resource.h>

enum { EVENTS = 20000, NODES = 4000, SHOTS = 80, POINTS = 150, DICE = 4, BLOCK_BYTES = 512 };

#define LATER_USEC                                                                                 \
	(200 * USEC_PER_SEC) /* the age at which a lock without a holder counts no more */

struct node {
	ino_t ino;
	bool is_dir;
	char *base; /* content before the first event */
	size_t base_n;
	struct timespec mtime;
};

struct event {
	enum done_kind kind;
	int dir, to_dir, node; /* of nodes; -1 */
	char *name, *to_name;
	char *bytes;
	size_t n;
	off_t offset;
	struct timespec mtime;
	int synced; /* the event that made it durable, or INT32_MAX */
};

/* A name in a directory at the beginning. */
struct base_name {
	int dir, node;
	char *name;
};

static struct recording {
	struct node nodes[NODES];
	int nodes_n;
	struct event events[EVENTS];
	int n;
	struct base_name names[NODES];
	int names_n;
	struct {
		struct seen seen; /* after a command was answered */
		int at;           /* so many events before */
		const char *command;
	} shots[SHOTS];
	int shots_n;
} recording;

static char origin[64], disk[80];

static int find_node(ino_t ino)
{
	for (int i = recording.nodes_n - 1; i >= 0; i--)
		if (recording.nodes[i].ino == ino)
			return i;
	return -1;
}

static int node_of_fd(int fd)
{
	struct stat st;

	return REAL(fstat)(fd, &st) == 0 ? find_node(st.st_ino) : -1;
}

/* The descriptor stays open, so that the inode number means this file and no later one. */
static int add_node(int dir_fd, const char *name)
{
	struct node *node = &recording.nodes[recording.nodes_n];
	int fd = REAL(openat)(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	CU_ASSERT_FATAL(fd >= 0 && recording.nodes_n < NODES && REAL(fstat)(fd, &st) == 0);
	*node = (struct node){
		.ino = st.st_ino, .is_dir = S_ISDIR(st.st_mode), .mtime = st.st_mtim
	};
	return recording.nodes_n++;
}

static int node_of_name(int dir_fd, const char *name)
{
	struct stat st;

	CU_ASSERT_FATAL(REAL(fstatat)(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	return find_node(st.st_ino);
}

/* The directory that a name lies in, and the name there. */
static int split_path(int dir_fd, const char *path, char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[256];
	int fd, node;

	*ret_name = strdup(slash ? slash + 1 : path);
	if (!slash)
		return node_of_fd(dir_fd);
	snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
	fd = REAL(openat)(dir_fd, parent, O_PATH | O_CLOEXEC);
	node = node_of_fd(fd);
	REAL(close)(fd);
	return node;
}

static void on_done(const struct done *done)
{
	struct event *event = &recording.events[recording.n++];
	struct stat st;

	CU_ASSERT_FATAL(recording.n < EVENTS);
	*event = (struct event){ .kind = done->kind, .dir = -1, .to_dir = -1, .node = -1 };
	if (done->name)
		event->dir = split_path(done->dir_fd, done->name, &event->name);
	if (done->to_name) {
		event->to_dir = split_path(done->to_dir_fd, done->to_name, &event->to_name);
		event->node = node_of_name(done->to_dir_fd, done->to_name);
	}
	if (done->kind == DONE_CREATE)
		event->node = add_node(done->dir_fd, done->name);
	if (!done->name)
		event->node = node_of_fd(done->fd);
	event->offset = done->offset;
	if (done->kind == DONE_WRITE) {
		event->n = done->n;
		event->bytes = malloc(done->n);
		memcpy(event->bytes, done->bytes, done->n);
	}
	if (done->kind == DONE_TIMES && REAL(fstat)(done->fd, &st) == 0)
		event->mtime = st.st_mtim;
}

/* What is on the disk at the beginning, and durable. */
static void record_base(int dir_fd, int dir)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);

	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;

		int number = add_node(dir_fd, e->d_name);
		struct node *node = &recording.nodes[number];
		int inner = openat(dir_fd, e->d_name, O_RDONLY);

		recording.names[recording.names_n++] =
			(struct base_name){ dir, number, strdup(e->d_name) };
		if (node->is_dir) {
			record_base(inner, number);
		} else {
			struct stat st;

			fstat(inner, &st);
			node->base_n = (size_t)st.st_size;
			node->base = malloc(node->base_n + 1);
			CU_ASSERT_FATAL(read(inner, node->base, node->base_n) == st.st_size);
		}
		close(inner);
	}
	closedir(d);
}

/* The load. "deliver NAME" is a delivery agent; the rest are commands. */
static const char *const LOAD[] = {
	"t SELECT INBOX\r\n",
	"append INBOX \\Seen|a1",
	"append INBOX K7 Beyond1|a2",
	"append INBOX Beyond2 \\Flagged|a3 a4 a5",
	"deliver d1",
	"t NOOP\r\n",
	"t UID STORE 1:3 +FLAGS (\\Answered K1)\r\n",
	"t UID STORE 2 +FLAGS (Beyond3)\r\n",
	"t UID STORE 1 FLAGS (Beyond3 Beyond1)\r\n",
	"t UID COPY 1:2 Work\r\n",
	"t UID COPY 3:4 Archive\r\n",
	"t UID MOVE 6:7 Archive\r\n",
	"t UID MOVE 8 Work\r\n",
	"deliver d2",
	"deliver d3",
	"t NOOP\r\n",
	"t EXPUNGE\r\n",
	"t CREATE Fresh\r\n",
	"append Fresh \\Draft Kept|f1 f2",
	"t SUBSCRIBE Fresh\r\n",
	"t UID STORE 2 -FLAGS (Beyond3)\r\n",
	"t UID COPY 2 INBOX\r\n",
	"t RENAME Fresh Archive/Fresh\r\n",
	"append Archive/Fresh |f3",
	"t RENAME Archive Store\r\n",
	"t UNSUBSCRIBE Work\r\n",
	"append Store Other Special|s1",
	"t SELECT Store\r\n",
	"t UID STORE 1:* +FLAGS (Special \\Seen)\r\n",
	"t UID MOVE 1:2 INBOX\r\n",
	"t CLOSE\r\n",
	"t DELETE Store/Old\r\n",
	"t CREATE Store/Old\r\n",
	"append Store/Old |o1 o2",
	"t DELETE Store/Old/Deep\r\n",
	"t RENAME INBOX Kept\r\n",
	"deliver d4",
	"append INBOX |z1 z2 z3",
	"t SELECT INBOX\r\n",
	"t UID STORE 1:* FLAGS (\\Deleted)\r\n",
	"t EXPUNGE\r\n",
	"append INBOX |z4",
	"append INBOX Beyond5|y1 y2 y3 y4 y5 y6 y7 y8 y9 y10 y11 y12 y13 y14 y15 y16 y17 y18 y19 "
	"y20",
	"t UID STORE 20:30 +FLAGS (Beyond6)\r\n",
};
enum { LOAD_COUNT = sizeof LOAD / sizeof *LOAD };

static void say_line(struct world *w, const char *line)
{
	char mailbox[64], flags[100] = "", names[100];

	if (strncmp(line, "deliver ", 8) == 0) {
		world_deliver(w->path, line + 8);
	} else if (strncmp(line, "append ", 7) == 0) {
		if (sscanf(line, "append %63s %99[^|]|%99[^\n]", mailbox, flags, names) != 3) {
			flags[0] = '\0';
			CU_ASSERT_FATAL(sscanf(line, "append %63s |%99[^\n]", mailbox, names) == 2);
		}
		CHECK(world_say(w, world_append_command(mailbox, flags, names)) == 0, "%s: %s",
			line, w->answer);
	} else {
		CHECK(world_say(w, line) == 0, "%s: %s", line, w->answer);
	}
}

static void take_shot(struct world *w, const char *command)
{
	CU_ASSERT_FATAL(recording.shots_n < SHOTS);
	CU_ASSERT_EQUAL(world_see(w, &recording.shots[recording.shots_n].seen), 0);
	recording.shots[recording.shots_n].at = recording.n;
	recording.shots[recording.shots_n++].command = command;
}

/* The first sync of any of two nodes behind an event. */
static int find_sync(int after, int node, int or_node)
{
	for (int i = after + 1; i < recording.n; i++)
		if (recording.events[i].kind == DONE_SYNC &&
			(recording.events[i].node == node || recording.events[i].node == or_node))
			return i;
	return INT32_MAX;
}

static void find_syncs(void)
{
	for (int i = 0; i < recording.n; i++) {
		struct event *event = &recording.events[i];

		switch (event->kind) {
		case DONE_CREATE:
		case DONE_UNLINK:
			event->synced = find_sync(i, event->dir, event->dir);
			break;
		case DONE_LINK:
			event->synced = find_sync(i, event->to_dir, event->to_dir);
			break;
		case DONE_RENAME:
			event->synced = find_sync(i, event->dir, event->to_dir);
			break;
		default:
			event->synced = find_sync(i, event->node, event->node);
		}
	}
}

/* A mailbox that was Courier's: the first look takes its keywords over, one of them beyond the letters. */
static void make_courier(void)
{
	static const char *const directories[] = { "", "/cur", "/new", "/tmp", "/courierimapkeywords" };
	char path[300], text[400], names[400] = "";

	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		snprintf(path, sizeof path, "%s/.Courier%s", origin, directories[i]);
		CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
	}
	for (int i = 0, at = 0; i < 25; i++)
		at += snprintf(names + at, sizeof names - (size_t)at, "%d K%d\n", i, i);
	world_message_text("co1", text, sizeof text);
	world_write_file(origin, ".Courier/cur/1700000001.M1.c:2,S", "%s", text);
	world_message_text("co2", text, sizeof text);
	world_write_file(origin, ".Courier/cur/1700000002.M2.c:2,", "%s", text);
	world_write_file(origin, ".Courier/dovecot-keywords", "%s", names);
	world_write_file(origin, ".Courier/courierimapuiddb", "1 1700000000 8\n3 1700000001.M1.c\n7 1700000002.M2.c\n");
	world_write_file(origin, ".Courier/courierimapkeywords/:list",
		"Cone\nCtwo\nCthree\n\n1700000001.M1.c:0 1\n1700000002.M2.c:0 2\n");
}

static void record_load(enum fsync_mode fsync)
{
	struct world w;
	int root;

	memset(&recording, 0, sizeof recording);
	snprintf(origin, sizeof origin, "%s/restante-power-XXXXXX", world_parent());
	CU_ASSERT_FATAL(mkdtemp(origin) != NULL);
	snprintf(disk, sizeof disk, "%s-disk", origin);
	world_make_template(origin);
	make_courier();
	root = open(origin, O_RDONLY | O_DIRECTORY);
	add_node(root, ".");
	record_base(root, 0);
	CU_ASSERT_FATAL(world_open(&w, origin, fsync) == 0 && world_dial(&w, false) == 0);
	interpose.record = on_done;
	interpose.no_disk = true;
	interpose.fail_at = 0;
	interpose.armed = true;
	take_shot(&w, "");
	for (size_t i = 0; i < LOAD_COUNT; i++) {
		say_line(&w, LOAD[i]);
		take_shot(&w, LOAD[i]);
	}
	interpose.armed = false;
	interpose.record = NULL;
	world_close(&w);
	close(root);
	find_syncs();
}

static void forget_recording(void)
{
	for (int i = 0; i < recording.n; i++) {
		free(recording.events[i].name);
		free(recording.events[i].to_name);
		free(recording.events[i].bytes);
	}
	for (int i = 0; i < recording.names_n; i++)
		free(recording.names[i].name);
	for (int i = 0; i < recording.nodes_n; i++)
		free(recording.nodes[i].base);
	closefrom(3);
	world_remove(origin);
	world_remove(disk);
}

/* What becomes of what was not synced. */
enum luck { LUCK_NOTHING, LUCK_EVERYTHING, LUCK_DICE };

struct outage {
	int at; /* so many events happened */
	enum luck luck;
	unsigned first_seed, seed;
	bool happened[EVENTS];
	struct {
		int dir, node;
		const char *name;
	} names[NODES];
	int names_n;
	bool made[NODES]; /* which nodes have been written out */
	char first_path[NODES][200];
};

static unsigned dice(struct outage *o, unsigned sides)
{
	return (unsigned)rand_r(&o->seed) % sides;
}

static bool touches(const struct event *event, int dir, const char *name)
{
	return (event->name && event->kind != DONE_LINK && event->dir == dir &&
		       strcmp(event->name, name) == 0) ||
	       (event->to_name && event->to_dir == dir && strcmp(event->to_name, name) == 0);
}

/* Changes of one name happen in order: what happened needs what came before it. */
static bool is_needed(const struct outage *o, int number)
{
	const struct event *event = &recording.events[number];

	for (int i = number + 1; i < o->at; i++) {
		const struct event *later = &recording.events[i];

		if (!o->happened[i] || !later->name)
			continue;
		if ((event->kind != DONE_LINK && touches(later, event->dir, event->name)) ||
			(event->to_name && touches(later, event->to_dir, event->to_name)))
			return true;
	}
	return false;
}

static void throw_dice(struct outage *o)
{
	for (int i = o->at - 1; i >= 0; i--) {
		const struct event *event = &recording.events[i];

		o->happened[i] = event->synced < o->at || o->luck == LUCK_EVERYTHING ||
				 (o->luck == LUCK_DICE && dice(o, 2));
		if (!o->happened[i] && event->name)
			o->happened[i] = is_needed(o, i);
	}
}

static int find_name(const struct outage *o, int dir, const char *name)
{
	for (int i = 0; i < o->names_n; i++)
		if (o->names[i].dir == dir && strcmp(o->names[i].name, name) == 0)
			return i;
	return -1;
}

static void drop_name(struct outage *o, int dir, const char *name)
{
	int i = find_name(o, dir, name);

	if (i >= 0)
		o->names[i] = o->names[--o->names_n];
}

static void set_name(struct outage *o, int dir, const char *name, int node)
{
	drop_name(o, dir, name);
	o->names[o->names_n].dir = dir;
	o->names[o->names_n].name = name;
	o->names[o->names_n++].node = node;
}

static void replay_names(struct outage *o)
{
	for (int i = 0; i < recording.names_n; i++)
		set_name(o, recording.names[i].dir, recording.names[i].name,
			recording.names[i].node);
	for (int i = 0; i < o->at; i++) {
		const struct event *event = &recording.events[i];

		if (!o->happened[i])
			continue;
		if (event->kind == DONE_CREATE)
			set_name(o, event->dir, event->name, event->node);
		if (event->kind == DONE_UNLINK || event->kind == DONE_RENAME)
			drop_name(o, event->dir, event->name);
		if (event->kind == DONE_LINK || event->kind == DONE_RENAME)
			set_name(o, event->to_dir, event->to_name, event->node);
	}
}

/* What was not synced may be there, missing, zeros in some blocks, or in part. */
static void replay_write(struct outage *o, int number, int fd)
{
	const struct event *event = &recording.events[number];
	unsigned how = event->synced < o->at || o->luck == LUCK_EVERYTHING ? 0
		       : o->luck == LUCK_NOTHING                           ? 1
									   : dice(o, DICE);
	char *bytes = malloc(event->n + 1);
	size_t n = how == 3 ? dice(o, (unsigned)event->n + 1) : event->n;

	memcpy(bytes, event->bytes, event->n);
	for (size_t i = 0; how == 2 && i < n; i++) {
		size_t block = ((size_t)event->offset + i) / BLOCK_BYTES;

		if (block == (size_t)event->offset / BLOCK_BYTES || (block * 7 + o->first_seed) % 2)
			bytes[i] = '\0';
	}
	if (how != 1) {
		ssize_t written = pwrite(fd, bytes, n, event->offset);

		CU_ASSERT_EQUAL(written, (ssize_t)n);
	}
	free(bytes);
}

/* A process of before the outage is gone. */
static void bury_holder(int fd)
{
	char text[64] = "";
	int pid;

	if (pread(fd, text, sizeof text - 1, 0) > 0 && sscanf(text, "%d:", &pid) == 1 &&
		pid == (int)getpid())
		CU_ASSERT(ftruncate(fd, 0) == 0 &&
			  pwrite(fd, "4194303:test.example.org", 24, 0) == 24);
}

static void write_file(struct outage *o, int number, const char *path)
{
	const struct node *node = &recording.nodes[number];
	struct timespec times[2] = { node->mtime, node->mtime };
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(
		pwrite(fd, node->base ? node->base : "", node->base_n, 0), (ssize_t)node->base_n);
	for (int i = 0; i < o->at; i++) {
		const struct event *event = &recording.events[i];

		if (event->node != number)
			continue;
		if (event->kind == DONE_WRITE)
			replay_write(o, i, fd);
		if (event->kind == DONE_TRUNCATE && o->happened[i])
			CU_ASSERT_EQUAL(ftruncate(fd, event->offset), 0);
		if (event->kind == DONE_TIMES && o->happened[i])
			times[1] = event->mtime;
	}
	if (strstr(path, ".lock"))
		bury_holder(fd);
	futimens(fd, times);
	close(fd);
}

static void write_directory(struct outage *o, int number, const char *path)
{
	CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
	for (int i = 0; i < o->names_n; i++) {
		int node = o->names[i].node;
		char inner[200];

		if (o->names[i].dir != number || strcmp(o->names[i].name, "restante.index") == 0)
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, o->names[i].name);
		if (recording.nodes[node].is_dir) {
			write_directory(o, node, inner);
		} else if (o->made[node]) {
			CU_ASSERT_EQUAL(link(o->first_path[node], inner), 0);
		} else {
			write_file(o, node, inner);
			o->made[node] = true;
			snprintf(o->first_path[node], sizeof o->first_path[node], "%s", inner);
		}
	}
}

static void make_disk(struct outage *o)
{
	throw_dice(o);
	replay_names(o);
	world_remove(disk);
	write_directory(o, 0, disk);
}

/* One assertion about an outage. */
_printf_(4, 5) static void expect(
	const struct outage *o, const char *mode, bool ok, const char *format, ...)
{
	static const char *const LUCKS[] = { "nothing", "everything", "dice" };
	const struct event *last = &recording.events[o->at > 0 ? o->at - 1 : 0];
	char text[600];
	int shot = 0;
	va_list args;

	while (shot + 1 < recording.shots_n && recording.shots[shot].at < o->at)
		shot++;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	CHECK(ok, "fsync=%s, %s, %s, in %.*s, after %d events (kind %d %s -> %s, seed %u)", mode,
		text, LUCKS[o->luck], (int)strcspn(recording.shots[shot].command, "\r\n"),
		recording.shots[shot].command, o->at, last->kind, last->name ? last->name : "",
		last->to_name ? last->to_name : "", o->first_seed);
}

struct outcome {
	const struct outage *outage;
	const char *mode;
	bool always;
	int last; /* the last shot taken before */
	int next; /* the one after, or the same: what was under way */
	const struct seen *got;
};

#define EXPECT(c, ...) expect((c)->outage, (c)->mode, __VA_ARGS__)

static bool has_flags_of(
	const struct outcome *c, uint32_t uidvalidity, const struct seen_message *m, int from)
{
	for (int i = from; i <= c->next; i++) {
		const struct seen_message *told =
			seen_uid(&recording.shots[i].seen, uidvalidity, m->msg_uid);

		if (told && strcmp(told->flags, m->flags) == 0)
			return true;
	}
	return false;
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p++)
		if (p > words && p[-1] == ' ' && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

/* Standard flags as bits; each keyword of any of the shots gets a bit behind them. */
static uint64_t flag_bits(const char *flags, char words[][40], unsigned *words_n)
{
	uint64_t bits = strtoul(flags, NULL, 16);
	char text[160], *save = NULL;

	snprintf(text, sizeof text, "%s", flags);
	for (char *word = strtok_r(text, " ", &save); (word = strtok_r(NULL, " ", &save));)
		if (*words_n < 40) {
			unsigned n = 0;

			while (n < *words_n && strcmp(words[n], word) != 0)
				n++;
			snprintf(words[n], 40, "%s", word);
			*words_n += n == *words_n;
		}
	for (unsigned n = 0; n < *words_n; n++)
		if (has_word(flags, words[n]))
			bits |= UINT64_C(1) << (8 + n);
	return bits;
}

/* Letters and keywords beyond them lie in two files: each flag by itself is as in one of the shots. */
static bool has_each_flag_of(
	const struct outcome *c, uint32_t uidvalidity, const struct seen_message *m, int from)
{
	char words[41][40];
	unsigned words_n = 0;
	uint64_t there, can = 0, must_have = UINT64_MAX;

	for (int pass = 0; pass < 2; pass++) { /* the second one knows all words */
		there = flag_bits(m->flags, words, &words_n);
		can = 0;
		must_have = UINT64_MAX;
		for (int i = from; i <= c->next; i++) {
			const struct seen_message *told =
				seen_uid(&recording.shots[i].seen, uidvalidity, m->msg_uid);
			uint64_t bits = told ? flag_bits(told->flags, words, &words_n) : 0;

			if (!told)
				continue;
			can |= bits;
			must_have &= bits;
		}
	}
	return (there & ~can) == 0 && (must_have & ~there) == 0;
}

/* Every UID there is, and what it was to those who were told. */
static void check_uids(const struct outcome *c)
{
	for (unsigned i = 0; i < c->got->n; i++) {
		const struct seen_message *m = &c->got->messages[i];
		uint32_t uidvalidity = c->got->mailboxes[m->mailbox].uidvalidity;
		const char *name = c->got->mailboxes[m->mailbox].name;
		bool told_now = seen_uid(&recording.shots[c->last].seen, uidvalidity, m->msg_uid);
		bool told = false;

		for (int shot = 0; shot <= c->last; shot++) {
			const struct seen_message *was =
				seen_uid(&recording.shots[shot].seen, uidvalidity, m->msg_uid);

			told |= was != NULL;
			EXPECT(c, !was || strcmp(was->text, m->text) == 0,
				"UID %u of %s was %s, is %s", m->msg_uid, name,
				was ? was->text : "", m->text);
		}
		if (!told)
			continue;
		EXPECT(c,
			c->always ? has_flags_of(c, uidvalidity, m, c->last) || !told_now ||
					    has_each_flag_of(c, uidvalidity, m, c->last)
				  : has_each_flag_of(c, uidvalidity, m, 0),
			"%s in %s has flags %s", m->text, name, m->flags);
	}
}

static bool is_in(const struct seen *seen, const char *mailbox, uint32_t msg_uid, const char *text)
{
	for (unsigned i = 0; i < seen->n; i++)
		if (seen->messages[i].msg_uid == msg_uid &&
			strcmp(seen->messages[i].text, text) == 0 &&
			strcmp(seen->mailboxes[seen->messages[i].mailbox].name, mailbox) == 0)
			return true;
	return false;
}

static unsigned count(const struct seen *seen, const char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < seen->n; i++)
		n += strcmp(seen->messages[i].text, text) == 0;
	return n;
}

/* What was there before, and is to be there after what was under way, is there; by mailbox name and UID. */
static void check_kept(const struct outcome *c)
{
	const struct seen *before = &recording.shots[c->last].seen;
	const struct seen *after = &recording.shots[c->next].seen;

	for (unsigned i = 0; i < before->n; i++) {
		const struct seen_message *m = &before->messages[i];
		const char *name = before->mailboxes[m->mailbox].name;
		unsigned b = count(before, m->text), a = count(after, m->text);

		if (is_in(after, name, m->msg_uid, m->text))
			EXPECT(c, is_in(c->got, name, m->msg_uid, m->text),
				"%s, UID %u of %s is lost", m->text, m->msg_uid, name);
		EXPECT(c, count(c->got, m->text) >= (a < b ? a : b), "%s is lost", m->text);
	}
	for (unsigned i = 0; i < c->got->n; i++) {
		const char *text = c->got->messages[i].text;
		unsigned b = count(before, text), a = count(after, text);

		EXPECT(c, strcmp(text, "BROKEN") != 0, "a broken message in %s",
			c->got->mailboxes[c->got->messages[i].mailbox].name);
		if (c->always)
			EXPECT(c, count(c->got, text) <= (a > b ? a : b), "%s is there %u times", text, count(c->got, text));
	}
}

static void check_mailboxes(const struct outcome *c)
{
	const struct seen *before = &recording.shots[c->last].seen;
	const struct seen *after = &recording.shots[c->next].seen;

	for (unsigned i = 0; i < before->mailboxes_n; i++) {
		const char *name = before->mailboxes[i].name;
		int at = seen_mailbox(c->got, name), will = seen_mailbox(after, name);

		if (will < 0 ||
			before->mailboxes[i].uidvalidity != after->mailboxes[will].uidvalidity)
			continue;
		EXPECT(c, at >= 0, "mailbox %s is gone", name);
		EXPECT(c,
			at < 0 || c->got->mailboxes[at].uidvalidity ==
					  before->mailboxes[i].uidvalidity,
			"UIDVALIDITY of %s", name);
	}
	for (unsigned i = 0; i < c->got->mailboxes_n; i++) {
		const char *name = c->got->mailboxes[i].name;

		EXPECT(c, seen_mailbox(before, name) >= 0 || seen_mailbox(after, name) >= 0,
			"%s is there", name);
	}
	EXPECT(c,
		strcmp(c->got->subscriptions, before->subscriptions) == 0 ||
			strcmp(c->got->subscriptions, after->subscriptions) == 0,
		"subscriptions are %s", c->got->subscriptions);
}

/* The next message gets a UID nobody was told. */
static void check_next_uids(const struct outcome *c)
{
	static struct seen seen;
	struct world w;
	int r = world_open(&w, disk, FSYNC_NEVER);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	world_later_usec = LATER_USEC;
	world_dial(&w, false);
	for (unsigned i = 0; i < c->got->mailboxes_n; i++) {
		const char *name = c->got->mailboxes[i].name;

		EXPECT(c, world_say(&w, world_append_command(name, "\\Seen Beyond7", "later")) == 0,
			"APPEND to %s: %s", name, w.answer);
	}
	world_hang_up(&w);
	CU_ASSERT_EQUAL(world_see(&w, &seen), 0);
	world_close(&w);
	world_later_usec = 0;
	for (unsigned i = 0; i < seen.n; i++) {
		const struct seen_message *m = &seen.messages[i];

		if (strcmp(m->text, "later") != 0)
			continue;
		EXPECT(c, has_word(m->flags, "Beyond7"), "later in %s has flags %s",
			seen.mailboxes[m->mailbox].name, m->flags);
		for (int shot = 0; shot <= c->last; shot++)
			EXPECT(c,
				!seen_uid(&recording.shots[shot].seen,
					seen.mailboxes[m->mailbox].uidvalidity, m->msg_uid),
				"UID %u of %s is given once more", m->msg_uid,
				seen.mailboxes[m->mailbox].name);
	}
}

static void try_outage(int at, enum luck luck, unsigned seed, const char *mode)
{
	static struct outage outage;
	static struct seen got;
	struct outcome c = { .outage = &outage, .mode = mode, .got = &got };

	memset(&outage, 0, sizeof outage);
	outage.at = at;
	outage.luck = luck;
	outage.seed = outage.first_seed = seed;
	c.always = strcmp(mode, "always") == 0;
	while (c.last + 1 < recording.shots_n && recording.shots[c.last + 1].at <= at)
		c.last++;
	c.next = c.last + (c.last + 1 < recording.shots_n);
	make_disk(&outage);

	world_later_usec = LATER_USEC;

	int r = world_see_fresh(disk, false, &got);

	world_later_usec = 0;

	expect(&outage, mode, r == 0, "cannot be opened: %s", strerror(-r));
	if (r < 0)
		return;
	check_uids(&c);
	check_kept(&c);
	check_mailboxes(&c);
	check_next_uids(&c);
}

static void run_mode(enum fsync_mode fsync, const char *mode)
{
	const char *seed_text = getenv("POWER_LOSS_SEED");
	unsigned seed = seed_text ? (unsigned)atoi(seed_text) : 1;
	bool all = getenv("POWER_LOSS_ALL") != NULL;

	record_load(fsync);
	CU_ASSERT_FATAL(recording.n > POINTS);

	unsigned at_seed = seed;

	for (int i = 0; i < (all ? recording.n + 1 : POINTS); i++) {
		int at = all ? i : rand_r(&at_seed) % (recording.n + 1);

		try_outage(at, LUCK_NOTHING, 0, mode);
		try_outage(at, LUCK_EVERYTHING, 0, mode);
		for (unsigned n = 0; n < (all ? 6 : 2); n++)
			try_outage(at, LUCK_DICE, seed + (unsigned)i * 31 + n, mode);
	}
	printf("fsync=%s: %d events\n", mode, recording.n);
	forget_recording();
}

static void test_optimized(void)
{
	run_mode(FSYNC_OPTIMIZED, "optimized");
}

static void test_always(void)
{
	run_mode(FSYNC_ALWAYS, "always");
}

static const struct unit_test tests[] = {
	{ "fsync = optimized", test_optimized },
	{ "fsync = always", test_always },
};

int main(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return unit_run("test_power_loss", tests, sizeof tests / sizeof *tests);
}
