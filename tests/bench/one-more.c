/* What one profile more costs: reads a day's merged file, then again with one more profile, and with one fewer.
 *
 *	one-more DIR HOURS [VIEW]
 *
 * Each file of DIR but the last is a profile of one process, spread evenly over the first HOURS of a day, in memory. Prints CPU
 * time in milliseconds of all threads: the cold read, one with one more profile, one with that removed, and with one removed that
 * was there from the beginning; and those relative to the cold one. */
#include "tree.h"

#include <pgofs/cleanup.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY "app/2026/11/22"

/* The day is over, so what is stored of it is a part of the cost. */
static int64_t two_days_later(void)
{
	return INT64_C(20781) * PGOFS_NS_PER_DAY;
}

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(int r, const struct pgofs_error *err)
{
	if (r < 0) {
		fprintf(stderr, "one-more: %s: %s\n", strerror(-r), err->text);
		exit(1);
	}
}

/* Where profile i of n is stored. */
static char *path_of(char path[static PGOFS_KEY_MAX], size_t i, size_t n, int64_t hours)
{
	int64_t s = (int64_t)(i * 2 + 1) * hours * 1800 / (int64_t)n;
	snprintf(path, PGOFS_KEY_MAX, DAY "/%02d%02d%02dZ-web-%zu.pprof", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60),
		 i);
	return path;
}

static void put(struct pgofs_tree *t, const char *file, const char *path)
{
	static uint8_t bytes[8 << 20];
	struct pgofs_error err = { "" };
	_cleanup_(pgofs_fclosep) FILE *f = fopen(file, "re");
	size_t len = f ? fread(bytes, 1, sizeof bytes, f) : 0;
	must(pgofs_tree_store(t, path, bytes, len, 0, &err), &err);
}

static double read_it(struct pgofs_tree *t, const char *view)
{
	char path[64];
	struct pgofs_error err = { "" };
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	snprintf(path, sizeof path, "app/merged/2026-11-22.%s", view);
	double began = cpu_ms();
	must(pgofs_tree_read(t, path, NULL, &bytes, &err), &err);
	return cpu_ms() - began;
}

int main(int argc, char **argv)
{
	struct pgofs_error err = { "" };
	struct dirent **files;
	int n_files = argc > 2 ? scandir(argv[1], &files, NULL, alphasort) : -1;
	int64_t hours = argc > 2 ? atoi(argv[2]) : 0;
	const char *view = argc > 3 ? argv[3] : "pgo";
	if (n_files < 4 || hours < 1 || hours > 24) {
		fprintf(stderr, "usage: one-more DIR HOURS [VIEW]\n");
		return 2;
	}
	size_t n = (size_t)n_files - 2; /* "." and ".." */
	struct pgofs_backend *memory;
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	config.refresh_ns = PGOFS_NS_PER_DAY;
	config.now_ns = two_days_later;
	must(pgofs_backend_open("memory:", NULL, &memory, &err), &err);
	must(pgofs_tree_new(memory, &config, &t, &err), &err);

	char file[PGOFS_KEY_MAX], path[PGOFS_KEY_MAX];
	for (size_t i = 0; i < n; i++) {
		snprintf(file, sizeof file, "%s/%s", argv[1], files[i + 2]->d_name);
		if (i + 1 < n)
			put(t, file, path_of(path, i, n - 1, hours));
	}
	double cold = read_it(t, view), one_more, without, fewer;
	char extra[PGOFS_KEY_MAX];
	snprintf(extra, sizeof extra, DAY "/%02d1700Z-extra.pprof", (int)hours / 2);
	put(t, file, extra);
	one_more = read_it(t, view);
	must(pgofs_tree_remove(t, path_of(path, n / 3, n - 1, hours), &err), &err);
	fewer = read_it(t, view);
	must(pgofs_tree_remove(t, extra, &err), &err);
	without = read_it(t, view);
	printf("cold %.1f one-more %.1f (%.1f %%) one-fewer %.1f (%.1f %%) that-one-removed %.1f (%.1f %%)\n", cold, one_more,
	       100 * one_more / cold, fewer, 100 * fewer / cold, without, 100 * without / cold);
	for (int i = 0; i < n_files; i++)
		free(files[i]);
	free(files);
	return 0;
}
