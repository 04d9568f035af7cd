/* Options as a table: one row says the name, the type, where the value goes, the default, and the words for --help.
 *
 * The same table serves long options on a command line (--name VALUE, --name=VALUE), mount options (-o name=value) and
 * the man page's check, so an option exists in one place. A program may use several tables: its own and its storage's.
 *
 * Threads: pure but for the structure filled in. */
#pragma once

#include <pgofs/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum pgofs_option_type {
	PGOFS_OPTION_FLAG,     /* bool; takes no value, or "yes"/"no" */
	PGOFS_OPTION_STRING,   /* char *, owned by the structure */
	PGOFS_OPTION_STRINGS,  /* struct pgofs_strings: may be given again and again */
	PGOFS_OPTION_DURATION, /* int64_t, nanoseconds */
	PGOFS_OPTION_SIZE,     /* uint64_t, bytes */
	PGOFS_OPTION_COUNT,    /* int64_t, from 0 up */
};

struct pgofs_strings {
	char **items; /* owned, NULL-terminated once non-empty */
	size_t n;
};

struct pgofs_option {
	const char *name; /* NULL ends the table */
	char letter;      /* the short form, or 0 */
	enum pgofs_option_type type;
	size_t offset;       /* into the structure */
	const char *initial; /* the default in the words a user would write, or NULL for false, none, 0 */
	const char *arg;     /* what --help calls the value: "DIR"; NULL for a flag */
	const char *help;    /* one line */
};

/* Sets every default. The structure must be zeroed before. -ENOMEM. */
int pgofs_options_init(const struct pgofs_option *table, void *into, struct pgofs_error *err);

/* Frees the strings. */
void pgofs_options_done(const struct pgofs_option *table, void *into);

/* "_" is as good as "-": FUSE's own are written allow_other. NULL: there is none. */
const struct pgofs_option *pgofs_options_find(const struct pgofs_option *table, const char *name, size_t len);

/* Sets one; `value` NULL for a flag without one. -EINVAL with words, -ENOMEM. */
int pgofs_option_set(const struct pgofs_option *o, void *into, const char *value, struct pgofs_error *err);

/* Reads argv[1..]: long and short options from `table`, "--" ends them; what is no option is moved to the front of argv in
 * order. Returns how many such words there are (argv[1..n]), or -EINVAL with words. */
int pgofs_options_parse_argv(const struct pgofs_option *table, void *into, int argc, char **argv,
			     struct pgofs_error *err);

/* Calls `take` with each word of "a,b=c\,d" in turn, which is two; empty ones are passed over. The first failure ends it. -ENOMEM. */
typedef int (*pgofs_option_word_fn)(void *context, const char *word, struct pgofs_error *err);
int pgofs_options_each_word(const char *words, pgofs_option_word_fn take, void *context, struct pgofs_error *err);

/* Prints "  -l, --name=ARG   help (default: …)" rows. */
void pgofs_options_help(const struct pgofs_option *table, FILE *to);

/* Adds a copy. -ENOMEM. */
int pgofs_strings_add(struct pgofs_strings *s, const char *text);
void pgofs_strings_done(struct pgofs_strings *s);
