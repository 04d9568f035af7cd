/* Polled rather than watched: a mounted ConfigMap changes by swapping a symbolic link two directories up, which inotify on the
 * file never tells, and a stat every few seconds costs nothing. */
#include "discover-file.h"

#include "document.h"

#include <pgofs/log.h>

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

/* One file: what it was when it was last read, and what it said when it was last good. */
struct listed {
	struct listed *next;
	struct targets targets;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	bool seen; /* in the present poll */
	bool good; /* was read once */
	char path[];
};

struct file_sd {
	const struct job *job;
	int64_t duration_ns;
	struct listed *files;
	bool reported; /* that nothing matches */
	char pattern[];
};

static const char *label(const json_t *labels, const char *name)
{
	return json_string_value(json_object_get(labels, name));
}

static int add_target(const struct file_sd_words *w, const json_t *labels, const char *name, struct targets *ret,
		      struct pgofs_error *err)
{
	const char *scheme = label(labels, "__scheme__"), *path = label(labels, "__profile_path__"),
		   *address = label(labels, "__address__"), *app = label(labels, "app"),
		   *instance = label(labels, "instance");
	_cleanup_(pgofs_freep) char *url = NULL;
	struct target t;
	if (path && path[0] != '/')
		return pgofs_error_set(err, -EINVAL, "target \"%s\": __profile_path__ does not start with /",
				       target_shown(name));
	if (asprintf(&url, "%s://%s%s", scheme ? scheme : w->job->scheme, address ? address : name,
		     path ? path : w->job->path) < 0)
		return pgofs_error_errno(err, -ENOMEM, "target \"%s\"", name);
	struct target_words words = { app ? app : w->job->app,
				      instance  ? instance
				      : address ? name
						: NULL,
				      url, w->job, w->duration_ns };
	int r = target_init(&t, &words, err);
	if (r == 0 && targets_consume(ret, &t) < 0)
		r = pgofs_error_errno(err, -ENOMEM, "target \"%s\"", name);
	return r;
}

static int check_group(const json_t *group, struct pgofs_error *err)
{
	const json_t *labels = json_object_get(group, "labels");
	const char *key;
	json_t *value;
	if (!json_is_object(group) || !json_is_array(json_object_get(group, "targets")))
		return pgofs_error_set(err, -EINVAL, "a group is { \"targets\": [ … ], \"labels\": { … } }");
	if (labels && !json_is_object(labels))
		return pgofs_error_set(err, -EINVAL, "\"labels\" is no mapping");
	json_object_foreach((json_t *)labels, key, value)
	{
		if (!json_is_string(value))
			return pgofs_error_set(err, -EINVAL, "label %s is no string", key);
	}
	return 0;
}

static int read_group(const struct file_sd_words *w, const json_t *group, struct targets *ret, struct pgofs_error *err)
{
	const json_t *names = json_object_get(group, "targets"), *labels = json_object_get(group, "labels");
	size_t i;
	json_t *name;
	int r = check_group(group, err);
	if (r < 0)
		return r;
	if (label(labels, "instance") && json_array_size(names) > 1)
		return pgofs_error_set(err, -EINVAL, "one instance, but several targets in its group");
	json_array_foreach(names, i, name)
	{
		if (!json_is_string(name))
			return pgofs_error_set(err, -EINVAL, "a target is no string");
		r = add_target(w, labels, json_string_value(name), ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int file_sd_read(const struct file_sd_words *words, struct targets *ret, struct pgofs_error *err)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct targets found = { 0 };
	size_t i;
	json_t *group;
	int r = document_read(words->path, &root, err);
	if (r < 0)
		return r;
	if (!json_is_array(root))
		r = pgofs_error_set(err, -EINVAL, "not a list of groups");
	json_array_foreach(root, i, group)
	{
		if (r == 0)
			r = read_group(words, group, &found, err);
	}
	if (r < 0) {
		targets_done(&found);
		return pgofs_error_wrap(err, r, "%s", words->path);
	}
	*ret = found;
	return 0;
}

struct file_sd *file_sd_new(const char *pattern, const struct job *job, int64_t duration_ns)
{
	size_t len = strlen(pattern) + 1;
	struct file_sd *f = calloc(1, sizeof *f + len);
	if (!f)
		return NULL;
	f->job = job;
	f->duration_ns = duration_ns;
	memcpy(f->pattern, pattern, len);
	return f;
}

static void listed_free(struct listed *l)
{
	targets_done(&l->targets);
	free(l);
}

void file_sd_free(struct file_sd *f)
{
	if (!f)
		return;
	for (struct listed *l; (l = f->files);) {
		f->files = l->next;
		listed_free(l);
	}
	free(f);
}

static struct listed *find(struct file_sd *f, const char *path)
{
	size_t len = strlen(path) + 1;
	for (struct listed *l = f->files; l; l = l->next)
		if (!strcmp(l->path, path))
			return l;
	struct listed *l = calloc(1, sizeof *l + len);
	if (!l)
		return NULL;
	memcpy(l->path, path, len);
	l->next = f->files;
	return f->files = l;
}

static bool is_same(const struct listed *l, const struct stat *st)
{
	return l->dev == st->st_dev && l->ino == st->st_ino && l->size == st->st_size &&
	       l->mtime.tv_sec == st->st_mtim.tv_sec && l->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* Reads a file that changed. True: its targets are others now. */
static bool reread(const struct file_sd *f, struct listed *l, const struct stat *st)
{
	struct pgofs_error err = { "" };
	struct file_sd_words words = { l->path, f->job, f->duration_ns };
	struct targets now = { 0 };
	l->dev = st->st_dev;
	l->ino = st->st_ino;
	l->size = st->st_size;
	l->mtime = st->st_mtim;
	if (file_sd_read(&words, &now, &err) < 0) {
		pgofs_log(PGOFS_LOG_WARNING, "target file refused, its last good state stays", "why", err.text);
		return false;
	}
	targets_done(&l->targets);
	l->targets = now;
	l->good = true;
	pgofs_log(PGOFS_LOG_INFO, "target file read", "path", l->path, "targets", PGOFS_FMT("%zu", now.n));
	return true;
}

static bool drop_unseen(struct file_sd *f)
{
	bool changed = false;
	for (struct listed **at = &f->files; *at;) {
		struct listed *l = *at;
		if (l->seen) {
			at = &l->next;
			continue;
		}
		pgofs_log(PGOFS_LOG_INFO, "target file gone", "path", l->path);
		changed |= l->targets.n != 0;
		*at = l->next;
		listed_free(l);
	}
	return changed;
}

bool file_sd_poll(struct file_sd *f)
{
	glob_t found = { 0 };
	bool changed = false;
	int r = glob(f->pattern, 0, NULL, &found);
	if (r && !f->reported)
		pgofs_log(PGOFS_LOG_WARNING, "no target file", "pattern", f->pattern);
	f->reported = r != 0;
	for (struct listed *l = f->files; l; l = l->next)
		l->seen = false;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		struct stat st;
		struct listed *l = stat(found.gl_pathv[i], &st) == 0 ? find(f, found.gl_pathv[i]) : NULL;
		if (!l)
			continue;
		l->seen = true;
		if (!is_same(l, &st) && reread(f, l, &st))
			changed = true;
	}
	globfree(&found);
	return drop_unseen(f) || changed;
}

/* What `old` said of its file holds for ours: the same targets, as our job makes them. */
static void take_over(const struct file_sd *f, struct listed *l, const struct file_sd *old, const struct listed *was)
{
	for (size_t i = 0; i < was->targets.n; i++) {
		const struct target *t = &was->targets.items[i];
		bool its_own = strcmp(t->app, old->job->app ? old->job->app : "") != 0;
		struct target_words words = { its_own ? t->app : f->job->app, t->source, t->url, f->job,
					      f->duration_ns };
		struct target now;
		if (target_init(&now, &words, NULL) == 0)
			targets_consume(&l->targets, &now);
	}
	l->good = true;
}

void file_sd_inherit(struct file_sd *f, const struct file_sd *old)
{
	if (strcmp(f->pattern, old->pattern) != 0)
		return;
	for (struct listed *l = f->files; l; l = l->next)
		for (const struct listed *o = old->files; o && !l->good; o = o->next)
			if (o->good && !strcmp(o->path, l->path))
				take_over(f, l, old, o);
}

bool file_sd_complete(const struct file_sd *f)
{
	for (const struct listed *l = f->files; l; l = l->next)
		if (!l->good)
			return false;
	return f->files != NULL;
}

int file_sd_list(const struct file_sd *f, struct targets *ret)
{
	for (const struct listed *l = f->files; l; l = l->next) {
		for (size_t i = 0; i < l->targets.n; i++) {
			struct target t;
			int r = target_dup(&l->targets.items[i], &t);
			if (r == 0)
				r = targets_consume(ret, &t);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
