/* What the collector is told: defaults, then a file, then the command line.
 *
 * One table of options serves both: a key of the file is an option's long name, with '_' or '-' between its words.
 *
 * Threads: read-only once read. */
#pragma once

#include "access.h"
#include "target.h"

#include <pgofs/cleanup.h>
#include <pgofs/options.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Some targets: how to find them, and how to speak with them. */
struct job {
	char *app;                    /* where a target does not say; NULL: files go to `into` itself */
	struct pgofs_strings target;  /* "NAME=URL" */
	struct pgofs_strings file_sd; /* files in Prometheus' format; patterns of glob(3) */
	struct pgofs_strings dns;     /* "NAME:PORT": each address of NAME is a target */
	struct pgofs_strings dns_srv; /* "NAME": each host and port of its SRV records is */
	char *scheme;                 /* of targets that were found rather than named */
	char *path;                   /* likewise */
	int64_t replicas;             /* how many of an app's targets are profiled a round; 0: all */
	struct access access;
};

struct config {
	char *config_file;
	bool check_config;
	char *into; /* this and `spool` without slashes at the end */
	int64_t interval_ns;
	int64_t duration_ns;
	int64_t margin_ns; /* what a target gets beyond the duration */
	int64_t concurrency;
	bool once;
	bool require_mount;
	char *spool; /* a directory; NULL: in memory */
	uint64_t spool_bytes;
	int64_t spool_age_ns;
	uint64_t max_profile_bytes;
	uint64_t max_inflated_bytes;
	uint64_t memory_bytes;
	char *listen;
	char *dns_server;
	char *log_format;
	char *log_level;
	bool help;
	bool version;

	struct job job;   /* what the command line and the top of the file say of one */
	struct job *jobs; /* the file's; owned */
	size_t n_jobs;
};

/* Reads argv, and the file it names. argv stays as it was. -EINVAL with words, or why a file could not be read. */
int config_new(int argc, char *const *argv, struct config **ret, struct pgofs_error *err);
void config_free(struct config *c);
PGOFS_DEFINE_FREEP(struct config, config_free)

/* Gives each the value that the other has of this option, which is not one that may be repeated. True: they differed. */
bool config_swap(struct config *a, struct config *b, const char *option);

/* Is this all of it a number from 0 to 65535? */
bool config_port_valid(const char *text);

/* All jobs: 0 is the command line's. NULL past the last. */
const struct job *config_job(const struct config *c, size_t i);

/* The targets that are named one by one. -EINVAL with words where two have one name. */
int config_targets(const struct config *c, struct targets *ret, struct pgofs_error *err);

void config_help(FILE *to);
