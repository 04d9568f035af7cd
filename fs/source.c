/* One -o for everything that is about SOURCE, as mount(8) has it: the user need not know which room an option belongs to. */
#include "source.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROW(field) offsetof(struct pgofs_tree_options, field)

const struct pgofs_option pgofs_tree_option_rows[] = {
	{ "refresh", 0, PGOFS_OPTION_DURATION, ROW(refresh_ns), "5s", "TIME",
	  "changes made elsewhere show within this time" },
	{ "memory", 0, PGOFS_OPTION_SIZE, ROW(memory_bytes), "256MiB", "SIZE",
	  "keep listings and merged files in up to this much memory" },
	{ "fetch", 0, PGOFS_OPTION_COUNT, ROW(n_fetch), "16", "N", "fetch up to so many profiles at the same time" },
	{ "max-profile", 0, PGOFS_OPTION_SIZE, ROW(stored_max_bytes), "64MiB", "SIZE",
	  "refuse, and skip in merges, a stored profile larger than this" },
	{ "max-inflated", 0, PGOFS_OPTION_SIZE, ROW(raw_max_bytes), "1GiB", "SIZE",
	  "the same for what it inflates to; also the bound of a merge" },
	{ "no-rollups", 0, PGOFS_OPTION_FLAG, ROW(no_rollups), NULL, NULL,
	  "neither use nor store merges of hours and days that are over" },
	{ NULL },
};

static int take_option(const char *text, struct pgofs_tree_options *own, struct pgofs_strings *storage,
		       struct pgofs_error *err)
{
	size_t len = strcspn(text, "=");
	const struct pgofs_option *o = pgofs_options_find(pgofs_tree_option_rows, text, len);
	if (o)
		return pgofs_option_set(o, own, text[len] ? text + len + 1 : NULL, err);
	int r = pgofs_strings_add(storage, text);
	return r < 0 ? pgofs_error_errno(err, r, "option %s", text) : 0;
}

/* "a=1,b,c=2" */
static int take_options(const char *text, struct pgofs_tree_options *own, struct pgofs_strings *storage,
			struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) char *copy = strdup(text);
	if (!copy)
		return pgofs_error_errno(err, -ENOMEM, "options");
	char *rest = copy, *one;
	int r = 0;
	while (r == 0 && (one = strsep(&rest, ",")))
		if (*one)
			r = take_option(one, own, storage, err);
	return r;
}

static int check_options(const struct pgofs_tree_options *o, struct pgofs_error *err)
{
	if (o->n_fetch < 1 || o->n_fetch > 256)
		return pgofs_error_set(err, -EINVAL, "option fetch: from 1 to 256");
	if (o->memory_bytes < PGOFS_MIB)
		return pgofs_error_set(err, -EINVAL, "option memory: at least 1MiB");
	if (!o->stored_max_bytes || !o->raw_max_bytes || o->stored_max_bytes > SIZE_MAX / 2 ||
	    o->raw_max_bytes > SIZE_MAX / 2)
		return pgofs_error_set(err, -EINVAL, "options max-profile and max-inflated: from 1 byte up");
	return 0;
}

int pgofs_source_open(const char *source, const struct pgofs_strings *options, const struct pgofs_tree_config *config,
		      struct pgofs_tree **ret, struct pgofs_error *err)
{
	static const char *const none[] = { NULL };
	_cleanup_(pgofs_strings_done) struct pgofs_strings storage = { 0 };
	struct pgofs_tree_options own = { 0 };
	struct pgofs_backend *backend = NULL;
	int r = pgofs_options_init(pgofs_tree_option_rows, &own, err);
	for (size_t i = 0; r == 0 && i < options->n; i++)
		r = take_options(options->items[i], &own, &storage, err);
	if (r == 0)
		r = check_options(&own, err);
	if (r == 0)
		r = pgofs_backend_open(source, storage.n ? (const char *const *)storage.items : none, &backend, err);
	if (r < 0)
		return r;

	struct pgofs_tree_config c = *config;
	c.refresh_ns = own.refresh_ns;
	c.memory_bytes = own.memory_bytes;
	c.n_fetch = (unsigned)own.n_fetch;
	c.stored_max_bytes = own.stored_max_bytes;
	c.raw_max_bytes = own.raw_max_bytes;
	c.no_rollups = own.no_rollups;
	return pgofs_tree_new(backend, &c, ret, err);
}

static void print_rows(const char *heading, const struct pgofs_option *rows, FILE *to)
{
	if (!rows->name)
		return;
	fprintf(to, "\n%s, without the dashes:\n", heading);
	pgofs_options_help(rows, to);
}

void pgofs_source_help(FILE *to)
{
	const struct pgofs_option *directory = pgofs_backend_options("/"),
				  *bucket = pgofs_backend_options("s3://bucket");
	print_rows("For -o", pgofs_tree_option_rows, to);
	print_rows("For -o where SOURCE is a directory", directory, to);
	if (bucket != directory)
		print_rows("For -o where SOURCE is s3://BUCKET[/PREFIX]", bucket, to);
}
