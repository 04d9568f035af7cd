/* One event, one line.
 *
 * An event is a short constant sentence plus fields, so that people read it and programs search it:
 *
 *	pgofs_log(PGOFS_LOG_WARNING, "profile skipped", "path", path, "why", err.text);
 *
 * Fields are pairs of C strings; a pair whose value is NULL is left out. No secret is ever a field.
 *
 * Threads: pgofs_log may be called from any thread; a line is written by one write(2). pgofs_log_setup is for main,
 * before other threads start. */
#pragma once

#include <stdbool.h>

enum pgofs_log_level {
	PGOFS_LOG_ERROR,
	PGOFS_LOG_WARNING,
	PGOFS_LOG_INFO,
	PGOFS_LOG_DEBUG,
};

enum pgofs_log_format {
	PGOFS_LOG_TEXT,   /* "pgofs: warning: profile skipped path=… why=…" for people */
	PGOFS_LOG_LOGFMT, /* "time=… level=warning msg=\"profile skipped\" path=…" */
	PGOFS_LOG_JSON,   /* {"time":…,"level":…,"msg":…,"path":…} */
};

struct pgofs_log_config {
	const char *program;        /* "pgofs"; borrowed for the life of the process */
	enum pgofs_log_level level; /* events beyond it are dropped */
	enum pgofs_log_format format;
	bool syslog; /* to syslog(3) instead of stderr: a daemon with no terminal */
};

void pgofs_log_setup(const struct pgofs_log_config *config);

bool pgofs_log_enabled(enum pgofs_log_level level);

void pgofs_log_event(enum pgofs_log_level level, const char *event, ...) __attribute__((sentinel));
#define pgofs_log(level, ...) pgofs_log_event((level), __VA_ARGS__, (char *)0)

/* Shows a line on the terminal that is no part of the log: until the next call, NULL for no line, or until a line of the log takes its place.
 * For callers who know that stderr is a terminal. */
void pgofs_log_status(const char *text);

/* "error", "warning", "info", "debug" -> level; -EINVAL otherwise. "text", "logfmt", "json" -> format, likewise. */
int pgofs_log_level_parse(const char *word, enum pgofs_log_level *ret);
int pgofs_log_format_parse(const char *word, enum pgofs_log_format *ret);

/* A number or anything printable as a field value: the text lives until the end of the enclosing full block. */
struct pgofs_fmt {
	char text[64];
};
const char *pgofs_fmt_print(struct pgofs_fmt *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define PGOFS_FMT(...) pgofs_fmt_print(&(struct pgofs_fmt){ "" }, __VA_ARGS__)
