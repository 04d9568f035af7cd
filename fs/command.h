/* What the commands share: how they are called, how they fail, and how they begin.
 *
 * A command returns what the process exits with. For one thread. */
#pragma once

#include "source.h"
#include "tree.h"

#include <pgofs/error.h>
#include <pgofs/name.h>
#include <pgofs/options.h>

#include <stdbool.h>

enum {
	PGOFS_EXIT_DONE = 0,
	PGOFS_EXIT_FAILED = 1,
	PGOFS_EXIT_USAGE = 2,
};

struct pgofs_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
	const char *synopsis;              /* what follows "pgofs NAME " */
	const char *summary;               /* one line */
};

int pgofs_cmd_cat(int argc, char **argv);
int pgofs_cmd_ls(int argc, char **argv);
int pgofs_cmd_merge(int argc, char **argv);
int pgofs_cmd_mount(int argc, char **argv); /* mount.c */
int pgofs_cmd_prune(int argc, char **argv);
int pgofs_cmd_put(int argc, char **argv);
int pgofs_cmd_rm(int argc, char **argv);

/* One line on stderr, "pgofs NAME: WORDS"; the exit code for it. */
int pgofs_command_failed(const char *name, const struct pgofs_error *err);
int pgofs_command_misused(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How a command may be called. */
struct pgofs_call {
	const struct pgofs_command *command;
	const char *about;                /* for --help: what it does, in a paragraph */
	const struct pgofs_option *table; /* has rows for `help` and, where `uses_source`, for `storage` */
	void *options;                    /* zeroed, filled in */
	const bool *help;                 /* the help flag, in `options` */
	bool uses_source;
	int n_min, n_max; /* words wanted; n_max 0: any number */
	int (*run)(const void *options, int n, char **words);
};

/* Reads argv, and runs with the words and options it has, or gives help, or says what is wrong with them. What the process exits with. The
 * options are freed. */
int pgofs_call_run(const struct pgofs_call *call, int argc, char **argv);

/* Opens SOURCE; whether it answers is seen when it is used. What the process exits with: 0, or a failure, of which it has spoken. */
int pgofs_command_open(const char *name, const char *source, const struct pgofs_strings *options,
		       const struct pgofs_tree_config *config, struct pgofs_tree **ret);

/* PATH as people write it ("/sample/", "./sample", ".") -> as the tree has it. -ENAMETOOLONG. */
int pgofs_command_path(char buf[static PGOFS_PATH_SIZE], const char *word);
