/* pgofs: which command? */
#include "command.h"

#include <pgofs/log.h>

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct pgofs_command commands[] = {
	{ "mount", pgofs_cmd_mount, "[OPTIONS] SOURCE MOUNTPOINT", "show the profiles in SOURCE as a tree of files" },
	{ "cat", pgofs_cmd_cat, "SOURCE PATH...", "print files of the same tree, with no mount" },
	{ "ls", pgofs_cmd_ls, "SOURCE [PATH...]", "list directories of the same tree" },
	{ "put", pgofs_cmd_put, "SOURCE APP FILE...", "store profiles under the time each carries" },
	{ "rm", pgofs_cmd_rm, "SOURCE PATH...", "remove stored profiles" },
	{ "prune", pgofs_cmd_prune, "SOURCE --older-than AGE", "remove profiles by age" },
	{ "merge", pgofs_cmd_merge, "[-o OUT] FILE...", "merge files; no storage at all" },
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static int print_help(void)
{
	puts("Usage: pgofs COMMAND ...\n\nProfiles for Go's profile-guided optimization, merged when they are "
	     "read.\n\nCommands:");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-6s %-28s %s\n", commands[i].name, commands[i].synopsis, commands[i].summary);
	puts("\nSOURCE is a directory or s3://BUCKET[/PREFIX]. pgofs COMMAND --help has the options of each.\n"
	     "pgofs --version prints the version. The manual is pgofs(1).");
	return PGOFS_EXIT_DONE;
}

static int misused(const char *what, const char *word)
{
	fprintf(stderr, "pgofs: %s%s (see pgofs --help)\n", what, word);
	return PGOFS_EXIT_USAGE;
}

static int run(const char *name, int argc, char **argv)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].run(argc, argv);
	return misused("no such command: ", name);
}

static void set_up_log(void)
{
	struct pgofs_log_config config = { .program = "pgofs", .level = PGOFS_LOG_WARNING };
	const char *level = getenv("PGOFS_LOG_LEVEL");
	if (level && pgofs_log_level_parse(level, &config.level) < 0)
		fprintf(stderr, "pgofs: PGOFS_LOG_LEVEL: \"%s\" is not error, warning, info or debug\n", level);
	pgofs_log_setup(&config);
}

/* Each profile that is merged is read into a buffer, which is freed again. glibc gives such memory back to the kernel and asks for it anew: a
 * tenth of a merge's time. Now a little is kept, in few arenas. */
static void keep_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
	mallopt(M_ARENA_MAX, 4);
#endif
}

/* What was printed must have arrived, or the exit code would lie: `pgofs ls … > /dev/full`. */
static int check_stdout(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (code == PGOFS_EXIT_DONE && errno != EPIPE)
		perror("pgofs: write to stdout");
	return code == PGOFS_EXIT_DONE ? PGOFS_EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of one call, not the end of the process */
	keep_memory();
	set_up_log();
	if (argc < 2)
		return misused("missing a command", "");
	if (!strcmp(argv[1], "help") && argc > 2) {
		char *help[] = { argv[2], "--help", NULL };
		return check_stdout(run(argv[2], 2, help));
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return check_stdout(print_help());
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("pgofs " PGOFS_VERSION);
		return check_stdout(PGOFS_EXIT_DONE);
	}
	if (argv[1][0] == '-')
		return misused("unknown option ", argv[1]);
	return check_stdout(run(argv[1], argc - 1, argv + 1));
}
