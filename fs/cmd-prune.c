/* pgofs prune: removes the profiles taken before some time ago; for a timer. */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool help, dry_run, verbose;
	int64_t older_than_ns;
	char *app;
	struct pgofs_strings storage;
};

static const struct pgofs_option table[] = {
	{ "older-than", 0, PGOFS_OPTION_DURATION, offsetof(struct options, older_than_ns), NULL, "AGE",
	  "remove what was taken longer ago than this: 30d, 12w" },
	{ "app", 0, PGOFS_OPTION_STRING, offsetof(struct options, app), NULL, "APP", "of this app only" },
	{ "dry-run", 'n', PGOFS_OPTION_FLAG, offsetof(struct options, dry_run), NULL, NULL,
	  "print what would be removed, remove nothing" },
	{ "verbose", 'v', PGOFS_OPTION_FLAG, offsetof(struct options, verbose), NULL, NULL, "print what was removed" },
	{ "options", 'o', PGOFS_OPTION_STRINGS, offsetof(struct options, storage), NULL, "OPTION,...",
	  "options of SOURCE, see below" },
	{ "help", 'h', PGOFS_OPTION_FLAG, offsetof(struct options, help), NULL, NULL, "print this and exit" },
	{ NULL },
};

static const struct pgofs_command command = { "prune", pgofs_cmd_prune,
					      "[OPTIONS] SOURCE --older-than AGE [--app APP] [--dry-run]", NULL };

struct tally {
	const struct options *o;
	uint64_t n, size_bytes; /* that went, or would */
};

static void count(void *context, const char *path, uint64_t size_bytes, int outcome)
{
	struct tally *tally = context;
	if (outcome < 0) {
		fprintf(stderr, "pgofs prune: %s: %s\n", path, strerror(-outcome));
		return;
	}
	tally->n++;
	tally->size_bytes += size_bytes;
	if (tally->o->dry_run || tally->o->verbose)
		printf("%s\n", path);
}

/* No failure: a timer goes on when an app's last profile went. But it may be a slip of the pen. */
static void note_no_app(struct pgofs_tree *t, const char *app)
{
	struct pgofs_node node = { 0 };
	if (pgofs_tree_lookup(t, app, &node, NULL) == -ENOENT)
		fprintf(stderr, "pgofs prune: no app %s is stored\n", app);
	pgofs_node_done(&node);
}

static int prune(const void *options, int n, char **words)
{
	const struct options *o = options;
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	struct pgofs_error err = { "" };
	struct tally tally = { .o = o };
	const struct pgofs_prune what = {
		.app = o->app,
		.before_ns = pgofs_now_ns() - o->older_than_ns,
		.dry_run = o->dry_run,
		.each = count,
		.context = &tally,
	};
	config.read_only = o->dry_run;
	if (o->older_than_ns == 0)
		return pgofs_command_misused("prune", "wants --older-than AGE, such as 30d");
	if (o->app && !pgofs_app_valid(o->app, strlen(o->app)))
		return pgofs_command_misused("prune", "no app is called \"%s\"", o->app);
	int code = pgofs_command_open("prune", words[0], &o->storage, &config, &t);
	if (code != PGOFS_EXIT_DONE)
		return code;
	int r = pgofs_tree_prune(t, &what, &err);
	if (r < 0 && !tally.n)
		return pgofs_command_failed("prune", &err);
	char size[PGOFS_UNIT_TEXT_SIZE];
	printf("%s %" PRIu64 " profile%s, %s\n", o->dry_run ? "would remove" : "removed", tally.n,
	       tally.n == 1 ? "" : "s", pgofs_size_format(size, tally.size_bytes));
	if (o->app && !tally.n)
		note_no_app(t, o->app);
	return r < 0 ? pgofs_command_failed("prune", &err) : PGOFS_EXIT_DONE;
}

int pgofs_cmd_prune(int argc, char **argv)
{
	struct options o = { 0 };
	const struct pgofs_call call = {
		.command = &command,
		.about = "Removes profiles by age: that of the day of their folder and the stamp in their name.",
		.table = table,
		.options = &o,
		.help = &o.help,
		.uses_source = true,
		.n_min = 1,
		.n_max = 1,
		.run = prune,
	};
	return pgofs_call_run(&call, argc, argv);
}
