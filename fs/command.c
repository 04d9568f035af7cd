/* Every command begins and fails in the same way: options from a table, --help from the same table, words in one line on stderr
 * that name what was being done, to what, and why it failed. */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pgofs_command_failed(const char *name, const struct pgofs_error *err)
{
	fprintf(stderr, "pgofs %s: %s\n", name, err->text);
	return PGOFS_EXIT_FAILED;
}

int pgofs_command_misused(const char *name, const char *format, ...)
{
	char text[PGOFS_ERROR_TEXT_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "pgofs %s: %s (see pgofs %s --help)\n", name, text, name);
	return PGOFS_EXIT_USAGE;
}

static int print_help(const struct pgofs_call *call)
{
	printf("Usage: pgofs %s %s\n\n%s\n\nOptions:\n", call->command->name, call->command->synopsis, call->about);
	pgofs_options_help(call->table, stdout);
	if (call->uses_source)
		pgofs_source_help(stdout);
	return PGOFS_EXIT_DONE;
}

/* How many words there are; or -1, with the exit code. */
static int parse(const struct pgofs_call *call, int argc, char **argv, int *ret_exit)
{
	struct pgofs_error err = { "" };
	const char *name = call->command->name;
	int n = pgofs_options_init(call->table, call->options, &err);
	if (n == 0)
		n = pgofs_options_parse_argv(call->table, call->options, argc, argv, &err);
	if (n < 0)
		*ret_exit = pgofs_command_misused(name, "%s", err.text);
	else if (*call->help)
		*ret_exit = print_help(call);
	else if (n < call->n_min)
		*ret_exit =
		    pgofs_command_misused(name, "missing arguments: pgofs %s %s", name, call->command->synopsis);
	else if (call->n_max && n > call->n_max)
		*ret_exit = pgofs_command_misused(name, "unexpected argument \"%s\"", argv[call->n_max + 1]);
	else
		return n;
	return -1;
}

int pgofs_call_run(const struct pgofs_call *call, int argc, char **argv)
{
	int code = PGOFS_EXIT_DONE;
	int n = parse(call, argc, argv, &code);
	if (n >= 0)
		code = call->run(call->options, n, argv + 1);
	pgofs_options_done(call->table, call->options);
	return code;
}

int pgofs_command_open(const char *name, const char *source, const struct pgofs_strings *options,
		       const struct pgofs_tree_config *config, struct pgofs_tree **ret)
{
	_cleanup_(pgofs_tree_freep) struct pgofs_tree *t = NULL;
	struct pgofs_error err = { "" };
	int r = pgofs_source_open(source, options, config, &t, &err);
	if (r == -EINVAL)
		return pgofs_command_misused(name, "%s", err.text);
	if (r < 0)
		return pgofs_command_failed(name, &err);
	*ret = STEAL(t);
	return PGOFS_EXIT_DONE;
}

int pgofs_command_path(char buf[static PGOFS_PATH_SIZE], const char *word)
{
	while (*word == '/' || (word[0] == '.' && (word[1] == '/' || !word[1])))
		word++;
	size_t len = strlen(word);
	while (len && word[len - 1] == '/')
		len--;
	if (len >= PGOFS_PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(buf, word, len);
	buf[len] = '\0';
	return 0;
}
