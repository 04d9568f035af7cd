/* A target: one running program that serves /debug/pprof/profile, and the name its profiles get.
 *
 * Threads: values; whoever holds one serialises. */
#pragma once

#include <pgofs/error.h>

#include <stddef.h>
#include <stdint.h>

struct job;

#define TARGET_SOURCE_MAX 200 /* bytes: a file name has room for more */

struct target {
	char *app;             /* "" files its profiles directly in the directory given by --into */
	char *source;          /* the SOURCE of file names; already within the grammar */
	char *url;             /* complete, ?seconds= included */
	char *resolve;         /* where the URL's host is, as CURLOPT_RESOLVE takes it; NULL: the system knows */
	const struct job *job; /* borrowed from the configuration that named it */
};

struct target_words {
	const char *app;    /* NULL is "" */
	const char *source; /* NULL makes one of host and port */
	const char *url;    /* "http://host:6060" or with a path and a query of its own */
	const struct job *job;
	int64_t duration_ns; /* whole seconds: net/http/pprof counts in those */
	const char *resolve; /* "HOST:PORT:ADDRESS,…": where the URL's host is; NULL: the system knows */
};

/* Makes a target of words from outside. -EINVAL with words. Free with target_done. */
int target_init(struct target *ret, const struct target_words *words, struct pgofs_error *err);
void target_done(struct target *t);

/* The same for "NAME=URL", as the command line has it. */
int target_parse(const char *text, const struct job *job, int64_t duration_ns, struct target *ret,
		 struct pgofs_error *err);

/* `text` as an error may say it: not where it could be a URL with a password. */
const char *target_shown(const char *text);

/* A copy. -ENOMEM. */
int target_dup(const struct target *t, struct target *ret);

/* Order by app, then source: what makes two targets the same one. */
int target_compare(const struct target *a, const struct target *b);

/* A growing list that owns its targets. */
struct targets {
	struct target *items;
	size_t n;
};

/* Takes `t` over, also on failure. -ENOMEM. */
int targets_consume(struct targets *list, struct target *t);
void targets_done(struct targets *list);

/* Sorts, and drops every target that has the app and name of another before it. Returns how many of these had another URL; words name the first. */
size_t targets_unique(struct targets *list, struct pgofs_error *err);
