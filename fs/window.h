/* The names of merged files: WINDOW.VIEW, which instants and which form.
 *
 *	last-N{m,h,d,w}                         from now − N floored to the minute, to five minutes ahead of now
 *	2026-11-22                              a day
 *	2026-11                                 a month
 *	2026-11-20..2026-11-22                  days, both included
 *	20261122T100000Z..20261122T160000Z      instants, the first included, the second not
 *
 * All UTC. A number has one spelling: no leading zero in N, no sign, no small letters for T and Z. Pure functions; any thread. */
#pragma once

#include <pgofs/pprof.h>

#include <stddef.h>
#include <stdint.h>

struct pgofs_window {
	int64_t from_ns; /* included; never negative */
	int64_t to_ns;   /* not included; always beyond from_ns */
};

/* -ENOENT: no window is called so, or there is no instant in it. */
int pgofs_window_parse(const char *text, size_t len, int64_t now_ns, struct pgofs_window *ret);

/* The same for "WINDOW.VIEW". */
int pgofs_merged_name_parse(const char *name, int64_t now_ns, struct pgofs_window *ret, enum pgofs_view *ret_view);

/* The windows that a listing shows, and the views of each, in byte order of the names they make. */
#define PGOFS_N_LISTED_WINDOWS 3
extern const char *const pgofs_listed_windows[PGOFS_N_LISTED_WINDOWS];
#define PGOFS_N_LISTED_VIEWS 3
extern const enum pgofs_view pgofs_listed_views[PGOFS_N_LISTED_VIEWS];
