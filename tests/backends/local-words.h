/* A directory that is a storage, and short words for what tests do with it. `setup` and `teardown` are for a TestSuite. */
#pragma once

#include "scratch.h"

#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#define DAY "app/2026/11/22"
#define MAX ((size_t)64 << 20)

static char root[SCRATCH_SIZE];
static struct pgofs_backend *store;
static struct pgofs_error err;

static inline struct pgofs_backend *open_at(const char *path)
{
	struct pgofs_backend *b = NULL;
	cr_assert_eq(pgofs_backend_open(path, NULL, &b, &err), 0, "%s", err.text);
	return b;
}

static inline void setup(void)
{
	scratch_make(root);
	store = open_at(root);
}

static inline void teardown(void)
{
	pgofs_backend_free(store);
	scratch_remove(root);
}

/* A path under the root, good until the fourth call after. */
static inline const char *at(const char *format, ...)
{
	static char paths[4][SCRATCH_SIZE * 2];
	static unsigned next;
	char below[SCRATCH_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(below, sizeof below, format, args);
	va_end(args);
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", root, below);
	return path;
}

static inline int put(const char *key, const char *text, unsigned flags)
{
	return pgofs_backend_put(store, key, text, strlen(text), flags, NULL, &err);
}

static inline void must_put(const char *key, const char *text)
{
	cr_assert_eq(put(key, text, 0), 0, "%s", err.text);
}

static inline int get(const char *key, char *text, size_t size)
{
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int r = pgofs_backend_get(store, key, NULL, size - 1, &bytes, NULL, &err);
	if (r < 0)
		return r;
	if (bytes->len)
		memcpy(text, bytes->data, bytes->len);
	text[bytes->len] = '\0';
	return 0;
}

static inline void must_hold(const char *key, const char *text)
{
	char is[256];
	cr_assert_eq(get(key, is, sizeof is), 0, "%s", err.text);
	cr_assert_str_eq(is, text);
}

static inline int append_name(void *context, const struct pgofs_entry *e)
{
	return pgofs_buf_printf(context, "%s%s\n", e->name, e->is_dir ? "/" : "");
}

static inline void must_list(const char *dir, unsigned flags, const char *names)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf is = PGOFS_BUF(1 << 20);
	cr_assert_eq(pgofs_backend_list(store, dir, flags, append_name, &is, &err), 0, "%s", err.text);
	cr_assert_eq(pgofs_buf_append(&is, "", 1), 0);
	cr_assert_str_eq((char *)is.data, names);
}

static inline int n_temporaries(void)
{
	int n = 0;
	DIR *d = opendir(at(LOCAL_TEMP_DIR));
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static inline void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	cr_assert_not_null(f, "%s", path);
	fputs(text, f);
	fclose(f);
}

static inline bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
