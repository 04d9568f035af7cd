/* pgofs ls: what is in the tree, one name a line in byte order. */
#include "command.h"
#include "path.h"

#include <pgofs/progress.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool help, is_long;
	struct pgofs_strings storage;
};

static const struct pgofs_option table[] = {
	{ "long", 'l', PGOFS_OPTION_FLAG, offsetof(struct options, is_long), NULL, NULL,
	  "kind, size in bytes, time (UTC) and name; computes merged files" },
	{ "options", 'o', PGOFS_OPTION_STRINGS, offsetof(struct options, storage), NULL, "OPTION,...",
	  "options of SOURCE, see below" },
	{ "help", 'h', PGOFS_OPTION_FLAG, offsetof(struct options, help), NULL, NULL, "print this and exit" },
	{ NULL },
};

static const struct pgofs_command command = { "ls", pgofs_cmd_ls, "[OPTIONS] SOURCE [PATH...]", NULL };

struct printing {
	struct pgofs_tree *t;
	const char *dir;
	bool is_long;
	struct pgofs_error *err;
};

static int print_row(bool is_long, enum pgofs_node_kind kind, uint64_t size_bytes, int64_t mtime_ns, const char *name)
{
	if (!is_long)
		return printf("%s\n", name);
	char when[PGOFS_UNIT_TEXT_SIZE] = "-";
	bool is_dir = kind == PGOFS_NODE_DIR || kind == PGOFS_NODE_MERGED_DIR;
	if (mtime_ns && !is_dir)
		pgofs_instant_format(when, mtime_ns - mtime_ns % PGOFS_NS_PER_S);
	return printf("%c %10" PRIu64 " %-20s %s\n", is_dir ? 'd' : '-', size_bytes, when, name);
}

/* A listing computes nothing, so the numbers of a merged file are asked for. What went away meanwhile is left out. */
static int print_merged(const struct printing *p, const char *name)
{
	char path[PGOFS_PATH_SIZE];
	struct pgofs_node node = { 0 };
	int r = pgofs_path_join(path, p->dir, name);
	if (r == 0)
		r = pgofs_tree_lookup(p->t, path, &node, p->err);
	if (r == 0)
		print_row(true, node.kind, node.size_bytes, node.mtime_ns, name);
	pgofs_node_done(&node);
	return r == -ENOENT ? 0 : r;
}

static int print_entry(void *context, const struct pgofs_tree_entry *e)
{
	const struct printing *p = context;
	if (p->is_long && e->kind == PGOFS_NODE_MERGED)
		return print_merged(p, e->name);
	print_row(p->is_long, e->kind, e->size_bytes, e->mtime_ns, e->name);
	return 0;
}

static int print_path(struct pgofs_tree *t, const struct options *o, const char *word, struct pgofs_error *err)
{
	char path[PGOFS_PATH_SIZE];
	struct pgofs_node node = { 0 };
	int r = pgofs_command_path(path, word);
	if (r < 0)
		return pgofs_error_errno(err, r, "%.64s...", word);
	r = pgofs_tree_list(t, path, print_entry, &(struct printing){ t, path, o->is_long, err }, err);
	if (r != -ENOTDIR || !*path)
		return r;
	r = pgofs_tree_lookup(t, path, &node, err);
	if (r == 0)
		print_row(o->is_long, node.kind, node.size_bytes, node.mtime_ns, path);
	pgofs_node_done(&node);
	return r;
}

static int ls(const void *options, int n, char **words)
{
	const struct options *o = options;
	_cleanup_(pgofs_progress_done) struct pgofs_progress progress = pgofs_progress_new("merged", "profiles");
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	struct pgofs_error err = { "" };
	config.read_only = true;
	config.progress = pgofs_progress_step;
	config.progress_context = &progress;
	int code = pgofs_command_open("ls", words[0], &o->storage, &config, &t);
	if (code != PGOFS_EXIT_DONE)
		return code;
	for (int i = 1; i < n || i == 1; i++) {
		if (n > 2)
			printf("%s%s:\n", i > 1 ? "\n" : "", words[i]);
		if (print_path(t, o, n > 1 ? words[i] : "", &err) < 0) {
			pgofs_progress_done(&progress);
			code = pgofs_command_failed("ls", &err);
		}
	}
	return code;
}

int pgofs_cmd_ls(int argc, char **argv)
{
	struct options o = { 0 };
	const struct pgofs_call call = {
		.command = &command,
		.about = "Lists a directory of the tree, or the whole tree's top. Merged files are listed where their "
			 "window is not\n"
			 "empty; every other window can be read by its name.",
		.table = table,
		.options = &o,
		.help = &o.help,
		.uses_source = true,
		.n_min = 1,
		.run = ls,
	};
	return pgofs_call_run(&call, argc, argv);
}
