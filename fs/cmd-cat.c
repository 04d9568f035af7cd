/* pgofs cat: any file of the tree to stdout, with no mount. For builds without /dev/fuse. */
#include "command.h"
#include "output.h"

#include <pgofs/progress.h>

#include <errno.h>
#include <stddef.h>

struct options {
	bool help;
	struct pgofs_strings storage;
};

static const struct pgofs_option table[] = {
	{ "options", 'o', PGOFS_OPTION_STRINGS, offsetof(struct options, storage), NULL, "OPTION,...",
	  "options of SOURCE, see below" },
	{ "help", 'h', PGOFS_OPTION_FLAG, offsetof(struct options, help), NULL, NULL, "print this and exit" },
	{ NULL },
};

static const struct pgofs_command command = { "cat", pgofs_cmd_cat, "[OPTIONS] SOURCE PATH...", NULL };

static int print_file(struct pgofs_tree *t, const char *word, struct pgofs_error *err)
{
	char path[PGOFS_PATH_SIZE];
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *bytes = NULL;
	int r = pgofs_command_path(path, word);
	if (r < 0)
		return pgofs_error_errno(err, r, "%.64s...", word);
	r = pgofs_tree_read(t, path, NULL, &bytes, err);
	return r < 0 ? r : pgofs_output_stdout(bytes->data, bytes->len, err);
}

static int cat(const void *options, int n, char **words)
{
	const struct options *o = options;
	_cleanup_(pgofs_progress_done) struct pgofs_progress progress = pgofs_progress_new("merged", "profiles");
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	struct pgofs_error err = { "" };
	config.progress = pgofs_progress_step;
	config.progress_context = &progress;
	int code = pgofs_command_open("cat", words[0], &o->storage, &config, &t);
	if (code != PGOFS_EXIT_DONE)
		return code;
	for (int i = 1; i < n; i++) {
		int r = print_file(t, words[i], &err);
		pgofs_progress_done(&progress);
		if (r == -EPIPE) /* who closed the pipe knows it, and wants no words */
			return PGOFS_EXIT_FAILED;
		if (r < 0)
			code = pgofs_command_failed("cat", &err);
	}
	return code;
}

int pgofs_cmd_cat(int argc, char **argv)
{
	struct options o = { 0 };
	const struct pgofs_call call = {
		.command = &command,
		.about = "Prints files of the tree: merged files (APP/merged/last-24h.pprof) and stored profiles.",
		.table = table,
		.options = &o,
		.help = &o.help,
		.uses_source = true,
		.n_min = 2,
		.run = cat,
	};
	return pgofs_call_run(&call, argc, argv);
}
