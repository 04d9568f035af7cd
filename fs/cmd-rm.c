/* pgofs rm: removes stored profiles, and with -r all that is under a directory. */
#include "command.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool help, recursive, verbose;
	struct pgofs_strings storage;
};

static const struct pgofs_option table[] = {
	{ "recursive", 'r', PGOFS_OPTION_FLAG, offsetof(struct options, recursive), NULL, NULL,
	  "remove directories and all profiles under them" },
	{ "verbose", 'v', PGOFS_OPTION_FLAG, offsetof(struct options, verbose), NULL, NULL, "print what was removed" },
	{ "options", 'o', PGOFS_OPTION_STRINGS, offsetof(struct options, storage), NULL, "OPTION,...",
	  "options of SOURCE, see below" },
	{ "help", 'h', PGOFS_OPTION_FLAG, offsetof(struct options, help), NULL, NULL, "print this and exit" },
	{ NULL },
};

static const struct pgofs_command command = { "rm", pgofs_cmd_rm, "[OPTIONS] SOURCE PATH...", NULL };

static void report(void *context, const char *path, uint64_t size_bytes, int outcome)
{
	const struct options *o = context;
	if (outcome < 0)
		fprintf(stderr, "pgofs rm: %s: %s\n", path, strerror(-outcome));
	else if (o->verbose)
		printf("removed %s\n", path);
}

static int remove_path(struct pgofs_tree *t, const struct options *o, const char *word, struct pgofs_error *err)
{
	char path[PGOFS_PATH_SIZE];
	int r = pgofs_command_path(path, word);
	if (r < 0)
		return pgofs_error_errno(err, r, "%.64s...", word);
	r = pgofs_tree_remove(t, path, err);
	if (r == -EISDIR && !*path)
		return pgofs_error_set(err, -EPERM, "\"%s\" is the root, which stays; name the apps in it", word);
	if (r == -EISDIR && o->recursive)
		return pgofs_tree_remove_under(t, path, report, (void *)o, err);
	if (r == -EISDIR)
		return pgofs_error_set(err, r, "%s: is a directory, and -r was not given", word);
	if (r == 0)
		report((void *)o, path, 0, 0);
	return r;
}

static int rm(const void *options, int n, char **words)
{
	const struct options *o = options;
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	const struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	struct pgofs_error err = { "" };
	int code = pgofs_command_open("rm", words[0], &o->storage, &config, &t);
	if (code != PGOFS_EXIT_DONE)
		return code;
	for (int i = 1; i < n; i++)
		if (remove_path(t, o, words[i], &err) < 0)
			code = pgofs_command_failed("rm", &err);
	return code;
}

int pgofs_cmd_rm(int argc, char **argv)
{
	struct options o = { 0 };
	const struct pgofs_call call = {
		.command = &command,
		.about = "Removes stored profiles. Merged files are computed and cannot be removed.",
		.table = table,
		.options = &o,
		.help = &o.help,
		.uses_source = true,
		.n_min = 2,
		.run = rm,
	};
	return pgofs_call_run(&call, argc, argv);
}
