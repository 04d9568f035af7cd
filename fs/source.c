/* One -o for everything that is about SOURCE, as mount(8) has it: the user need not know which room an option belongs to. */
#include "source.h"

#include "memory-limit.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What -o said. */
struct options {
	struct pgofs_tree_options tree;
	struct pgofs_strings storage;
};

static const struct pgofs_option tree_rows[] = { PGOFS_TREE_OPTION_ROWS(struct options, tree), { NULL } };

static int take_word(void *context, const char *word, struct pgofs_error *err)
{
	struct options *o = context;
	size_t len = strcspn(word, "=");
	const struct pgofs_option *row = pgofs_options_find(tree_rows, word, len);
	if (row)
		return pgofs_option_set(row, o, word[len] ? word + len + 1 : NULL, err);
	int r = pgofs_strings_add(&o->storage, word);
	return r < 0 ? pgofs_error_errno(err, r, "option %s", word) : 0;
}

int pgofs_tree_options_settle(struct pgofs_tree_options *o, struct pgofs_error *err)
{
	if (!o->memory_bytes) {
		uint64_t quarter = pgofs_memory_limit() / 4;
		o->memory_bytes = quarter < 512 * PGOFS_MIB ? quarter : 512 * PGOFS_MIB;
	}
	if (o->n_fetch < 1 || o->n_fetch > 256)
		return pgofs_error_set(err, -EINVAL, "option fetch: from 1 to 256");
	if (o->memory_bytes < PGOFS_MIB)
		return pgofs_error_set(err, -EINVAL, "option memory: at least 1MiB");
	if (!o->stored_max_bytes || !o->raw_max_bytes || o->stored_max_bytes > SIZE_MAX / 2 ||
	    o->raw_max_bytes > SIZE_MAX / 2)
		return pgofs_error_set(err, -EINVAL, "options max-profile and max-inflated: from 1 byte up");
	return 0;
}

void pgofs_tree_options_apply(const struct pgofs_tree_options *o, struct pgofs_tree_config *config)
{
	config->read_only |= o->read_only;
	config->no_rollups = o->no_rollups;
	config->refresh_ns = o->refresh_ns;
	config->memory_bytes = o->memory_bytes;
	config->n_fetch = (unsigned)o->n_fetch;
	config->stored_max_bytes = o->stored_max_bytes;
	config->raw_max_bytes = o->raw_max_bytes;
}

static int read_options(const struct pgofs_strings *words, struct options *o, struct pgofs_error *err)
{
	int r = pgofs_options_init(tree_rows, o, err);
	for (size_t i = 0; r == 0 && i < words->n; i++)
		r = pgofs_options_each_word(words->items[i], take_word, o, err);
	return r == 0 ? pgofs_tree_options_settle(&o->tree, err) : r;
}

int pgofs_source_open(const char *source, const struct pgofs_strings *options, const struct pgofs_tree_config *config,
		      struct pgofs_tree **ret, struct pgofs_error *err)
{
	struct options o = { 0 };
	struct pgofs_backend *backend = NULL;
	struct pgofs_tree_config c = *config;
	int r = read_options(options, &o, err);
	if (r == 0)
		r = pgofs_backend_open(source, (const char *const *)o.storage.items, &backend, err);
	pgofs_strings_done(&o.storage);
	if (r < 0)
		return r;
	pgofs_tree_options_apply(&o.tree, &c);
	return pgofs_tree_new(backend, &c, ret, err);
}

static void print_rows(const char *heading, const struct pgofs_option *rows, FILE *to)
{
	if (!rows->name)
		return;
	fprintf(to, "\n%s, without the dashes:\n", heading);
	pgofs_options_help(rows, to);
}

void pgofs_storage_help(FILE *to)
{
	const struct pgofs_option *directory = pgofs_backend_options("/"),
				  *bucket = pgofs_backend_options("s3://bucket");
	print_rows("For -o where SOURCE is a directory", directory, to);
	if (bucket != directory)
		print_rows("For -o where SOURCE is s3://BUCKET[/PREFIX]", bucket, to);
}

void pgofs_source_help(FILE *to)
{
	print_rows("For -o", tree_rows, to);
	pgofs_storage_help(to);
}
