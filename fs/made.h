/* Directories that are there because somebody made them here, or emptied them here: storage keeps none that is empty.
 *
 * Threads: any; own mutex, innermost. */
#pragma once

#include <pgofs/cleanup.h>

#include <stdbool.h>

struct pgofs_made;

struct pgofs_made *pgofs_made_new(void); /* NULL when memory is out */
void pgofs_made_free(struct pgofs_made *m);
PGOFS_DEFINE_FREEP(struct pgofs_made, pgofs_made_free)

/* 0 also where it is there already; -ENOSPC where there are too many, -ENOMEM. */
int pgofs_made_add(struct pgofs_made *m, const char *dir);
void pgofs_made_remove(struct pgofs_made *m, const char *dir);
void pgofs_made_remove_under(struct pgofs_made *m, const char *dir); /* and itself */

/* Is this directory there, itself or because one under it is? */
bool pgofs_made_has(struct pgofs_made *m, const char *dir);

/* Is there one under it? "" is the root. */
bool pgofs_made_has_under(struct pgofs_made *m, const char *dir);

/* The names of those directly under `dir`, in byte order, each once; not 0 ends it and is returned. The mutex is held during `each`. */
int pgofs_made_each_under(struct pgofs_made *m, const char *dir, int (*each)(void *context, const char *name),
			  void *context);
