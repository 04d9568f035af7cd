/* `mkdir -p app/2026/11/22 && cp x.pprof app/2026/11/22/` must work as on a disk, and so must `rm -r` (files, then the directory they were
 * in) on a storage where a directory ends with its last file. Between the two this is what remembers.
 *
 * They are few: made by hand, and gone when the process ends. A sorted array does. */
#include "made.h"

#include "path.h"

#include <errno.h>
#include <string.h>

#define MADE_MAX 65536 /* enough for years of days by hand; a bound on what mkdir in a loop can take */

struct pgofs_made {
	pthread_mutex_t mutex;
	char **paths; /* in byte order of "PATH/", so that what is under a directory stands together */
	size_t n, cap;
};

struct pgofs_made *pgofs_made_new(void)
{
	struct pgofs_made *m = calloc(1, sizeof *m);
	if (m)
		pthread_mutex_init(&m->mutex, NULL);
	return m;
}

void pgofs_made_free(struct pgofs_made *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->paths[i]);
	free(m->paths);
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

/* "PATH/", with nothing for the root. */
static void with_slash(char buf[static PGOFS_PATH_SIZE + 1], const char *dir)
{
	strcpy(buf, dir);
	if (*dir)
		strcat(buf, "/");
}

/* The first that is not before `key`. */
static size_t seek(const struct pgofs_made *m, const char *key)
{
	size_t low = 0, high = m->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(m->paths[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool starts_with(const struct pgofs_made *m, size_t at, const char *key)
{
	return at < m->n && !strncmp(m->paths[at], key, strlen(key));
}

int pgofs_made_add(struct pgofs_made *m, const char *dir)
{
	char key[PGOFS_PATH_SIZE + 1];
	with_slash(key, dir);
	PGOFS_LOCKED(&m->mutex);
	size_t at = seek(m, key);
	if (at < m->n && !strcmp(m->paths[at], key))
		return 0;
	if (m->n == MADE_MAX)
		return -ENOSPC;
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 16;
		char **paths = reallocarray(m->paths, cap, sizeof *paths);
		if (!paths)
			return -ENOMEM;
		m->paths = paths;
		m->cap = cap;
	}
	char *copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	memmove(m->paths + at + 1, m->paths + at, (m->n - at) * sizeof *m->paths);
	m->paths[at] = copy;
	m->n++;
	return 0;
}

void pgofs_made_remove(struct pgofs_made *m, const char *dir)
{
	char key[PGOFS_PATH_SIZE + 1];
	with_slash(key, dir);
	PGOFS_LOCKED(&m->mutex);
	size_t at = seek(m, key);
	if (at == m->n || strcmp(m->paths[at], key) != 0)
		return;
	free(m->paths[at]);
	memmove(m->paths + at, m->paths + at + 1, (m->n - at - 1) * sizeof *m->paths);
	m->n--;
}

void pgofs_made_remove_under(struct pgofs_made *m, const char *dir)
{
	char key[PGOFS_PATH_SIZE + 1];
	with_slash(key, dir);
	PGOFS_LOCKED(&m->mutex);
	size_t from = seek(m, key), to = from;
	for (; starts_with(m, to, key); to++)
		free(m->paths[to]);
	if (from == to)
		return;
	memmove(m->paths + from, m->paths + to, (m->n - to) * sizeof *m->paths);
	m->n -= to - from;
}

bool pgofs_made_has(struct pgofs_made *m, const char *dir)
{
	char key[PGOFS_PATH_SIZE + 1];
	with_slash(key, dir);
	PGOFS_LOCKED(&m->mutex);
	return starts_with(m, seek(m, key), key);
}

bool pgofs_made_has_under(struct pgofs_made *m, const char *dir)
{
	char key[PGOFS_PATH_SIZE + 1];
	with_slash(key, dir);
	PGOFS_LOCKED(&m->mutex);
	size_t at = seek(m, key);
	if (at < m->n && !strcmp(m->paths[at], key))
		at++;
	return starts_with(m, at, key);
}

int pgofs_made_each_under(struct pgofs_made *m, const char *dir, int (*each)(void *context, const char *name),
			  void *context)
{
	char key[PGOFS_PATH_SIZE + 1], name[PGOFS_PATH_SIZE] = "";
	with_slash(key, dir);
	size_t skip = strlen(key);
	PGOFS_LOCKED(&m->mutex);
	for (size_t at = seek(m, key); starts_with(m, at, key); at++) {
		const char *child = m->paths[at] + skip;
		size_t len = strcspn(child, "/");
		if (!len || (strlen(name) == len && !memcmp(name, child, len)))
			continue;
		memcpy(name, child, len);
		name[len] = '\0';
		int r = each(context, name);
		if (r)
			return r;
	}
	return 0;
}
