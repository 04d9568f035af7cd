/* What is in the directory: regular files and directories, and nothing else.
 *
 * A day may hold 100,000 files: of an ordered listing only the names are held (bounded by NAMES_MAX_BYTES), and each file
 * is asked for its size and time at the moment it is shown; that is half of what such a listing costs, so those who can do without
 * (PGOFS_LIST_BARE) are spared it, where there are so many. A recursive listing may see millions: it is a loop over
 * directories still to be read, depth first, and holds the names of those alone.
 *
 * Never shown: symbolic links, FIFOs, sockets, devices; what is gone between its name and its turn; LOCAL_TEMP_DIR, and
 * LOCAL_OWN_DIR while it holds only that; lost+found, which is the filesystem's own and readable by root alone. */
#include "local.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define NAMES_MAX_BYTES ((size_t)1 << 30)
#define FEW_NAMES       2000 /* to ask for each of these is cheaper than to be asked again */

static int open_reader(struct pgofs_local *l, const char *path, DIR **ret)
{
	int fd = pgofs_local_open_dir(l, path, O_RDONLY);
	if (fd < 0)
		return fd;
	*ret = fdopendir(fd);
	if (*ret)
		return 0;
	int r = -errno;
	close(fd);
	return r;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Does LOCAL_OWN_DIR hold anything that a caller may see? */
static bool own_dir_shown(struct pgofs_local *l)
{
	_cleanup_(closedirp) DIR *d = NULL;
	if (open_reader(l, LOCAL_OWN_DIR, &d) < 0)
		return false;
	for (struct dirent *e; (e = readdir(d));)
		if (!is_dots(e->d_name) && strcmp(e->d_name, "tmp") != 0)
			return true;
	return false;
}

static bool hidden(struct pgofs_local *l, const char *dir, const char *name)
{
	if (is_dots(name))
		return true;
	if (!dir[0])
		return !strcmp(name, "lost+found") || (!strcmp(name, LOCAL_OWN_DIR) && !own_dir_shown(l));
	return !strcmp(dir, LOCAL_OWN_DIR) && !strcmp(name, "tmp");
}

enum what { NOTHING, FILE_, DIRECTORY };

/* One of the above, or -errno: what cannot be looked at is not nothing. `type` is a d_type: where it says enough, a directory costs
 * no further call. */
static int look(int dir_fd, const char *name, unsigned char type, struct pgofs_stored *ret)
{
	struct stat st;
	if (type == DT_DIR)
		return DIRECTORY;
	if (type != DT_REG && type != DT_UNKNOWN)
		return NOTHING;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NOTHING : -errno;
	if (S_ISDIR(st.st_mode))
		return DIRECTORY;
	if (!S_ISREG(st.st_mode))
		return NOTHING;
	pgofs_local_describe(&st, ret);
	return FILE_;
}

/* ---- One directory, in order ---- */

/* One name. Its first bytes are kept beside it, so that sorting seldom has to go and look: names of a day begin with the time. */
struct name {
	uint64_t first; /* eight bytes, the first most significant; NUL after the end */
	union {
		size_t at;        /* while the text may move: where in it */
		const char *text; /* its d_type, then the name */
	};
};

/* Names lie one after another in `text`, each behind its d_type and ended by a NUL. */
struct names {
	struct pgofs_buf text;
	struct pgofs_buf at; /* of struct name */
};

static void names_done(struct names *n)
{
	pgofs_buf_done(&n->text);
	pgofs_buf_done(&n->at);
}

static uint64_t first_of(const char *text, size_t len)
{
	uint64_t first = 0;
	memcpy(&first, text, len < sizeof first ? len : sizeof first);
	return be64toh(first);
}

static int gather(struct pgofs_local *l, DIR *d, const char *dir, struct names *n)
{
	for (;;) {
		errno = 0;
		struct dirent *e = readdir(d);
		if (!e)
			return -errno;
		if (hidden(l, dir, e->d_name))
			continue;
		size_t len = strlen(e->d_name);
		struct name name = { .first = first_of(e->d_name, len), .at = n->text.len };
		int r = pgofs_buf_append(&n->text, &e->d_type, 1);
		if (r == 0)
			r = pgofs_buf_append(&n->text, e->d_name, len + 1);
		if (r == 0)
			r = pgofs_buf_append(&n->at, &name, sizeof name);
		if (r < 0)
			return r;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct name *l = a, *r = b;
	if (l->first != r->first)
		return l->first < r->first ? -1 : 1;
	return strcmp(l->text + 1, r->text + 1);
}

/* The text moves while it grows, so pointers are made at the end. */
static const struct name *sorted(struct names *n, size_t *ret_n)
{
	struct name *names = (struct name *)(void *)n->at.data;
	*ret_n = n->at.len / sizeof *names;
	for (size_t i = 0; i < *ret_n; i++)
		names[i].text = (const char *)n->text.data + names[i].at;
	if (*ret_n > 1)
		qsort(names, *ret_n, sizeof names[0], by_name);
	return names;
}

static int list_ordered(struct pgofs_local *l, const char *dir, bool bare, pgofs_entry_fn each, void *context)
{
	_cleanup_(names_done) struct names found = { PGOFS_BUF(NAMES_MAX_BYTES), PGOFS_BUF(NAMES_MAX_BYTES) };
	_cleanup_(closedirp) DIR *d = NULL;
	int r = open_reader(l, dir, &d);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = gather(l, d, dir, &found);
	if (r < 0)
		return r;

	size_t n;
	const struct name *names = sorted(&found, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct pgofs_entry entry = { .name = names[i].text + 1 };
		unsigned char type = (unsigned char)names[i].text[0];
		entry.is_bare = bare && n > FEW_NAMES && type == DT_REG;
		int what = entry.is_bare ? FILE_ : look(dirfd(d), entry.name, type, &entry.stored);
		entry.is_dir = what == DIRECTORY;
		if (what != NOTHING)
			r = what < 0 ? what : each(context, &entry);
	}
	return r;
}

/* ---- Everything below, in no order ---- */

struct walk {
	struct pgofs_local *local;
	pgofs_entry_fn each;
	void *context;
	size_t base_len;          /* of the listed directory and its slash: names are relative to it */
	struct pgofs_buf to_read; /* paths of directories, each ended by a NUL; the last is next */
};

static void take_last(struct walk *w, char path[static PGOFS_KEY_MAX + 1])
{
	size_t at = w->to_read.len - 1;
	while (at > 0 && w->to_read.data[at - 1])
		at--;
	memcpy(path, w->to_read.data + at, w->to_read.len - at);
	w->to_read.len = at;
}

static int visit(struct walk *w, int dir_fd, const char *dir, const struct dirent *e)
{
	char path[PGOFS_KEY_MAX + 1];
	if (hidden(w->local, dir, e->d_name))
		return 0;
	int len = snprintf(path, sizeof path, "%s%s%s", dir, dir[0] ? "/" : "", e->d_name);
	if (len >= (int)sizeof path)
		return 0;

	struct pgofs_entry entry = { .name = path + w->base_len };
	int what = look(dir_fd, e->d_name, e->d_type, &entry.stored);
	if (what == FILE_)
		return w->each(w->context, &entry);
	if (what == DIRECTORY)
		return pgofs_buf_append(&w->to_read, path, (size_t)len + 1);
	return what;
}

static int read_one(struct walk *w, const char *dir)
{
	_cleanup_(closedirp) DIR *d = NULL;
	int r = open_reader(w->local, dir, &d);
	if (r == -ENOENT) /* gone since it was seen */
		return 0;
	while (r == 0) {
		errno = 0;
		struct dirent *e = readdir(d);
		if (!e) {
			r = -errno;
			break;
		}
		r = visit(w, dirfd(d), dir, e);
	}
	return r;
}

static int list_recursive(struct walk *w, const char *dir)
{
	int r = pgofs_buf_append(&w->to_read, dir, strlen(dir) + 1);
	while (r == 0 && w->to_read.len > 0) {
		char path[PGOFS_KEY_MAX + 1];
		take_last(w, path);
		r = read_one(w, path);
	}
	return r;
}

int pgofs_local_list(struct pgofs_backend *b, const char *dir, unsigned flags, pgofs_entry_fn each, void *context,
		     struct pgofs_error *err)
{
	struct pgofs_local *l = pgofs_local_of(b);
	int r = pgofs_local_root(l);
	if (r < 0)
		return r;
	if (pgofs_local_reserved(dir))
		return 0;
	if (!(flags & PGOFS_LIST_RECURSIVE)) {
		r = list_ordered(l, dir, flags & PGOFS_LIST_BARE, each, context);
	} else {
		struct walk w = { l, each, context, dir[0] ? strlen(dir) + 1 : 0, PGOFS_BUF(NAMES_MAX_BYTES) };
		r = list_recursive(&w, dir);
		pgofs_buf_done(&w.to_read);
	}
	return r;
}
