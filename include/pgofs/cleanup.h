/* Scope-bound ownership: a local that frees itself, and a way to hand it over.
 *
 * A destructor named foo_freep takes a `struct foo **`; PGOFS_DEFINE_FREEP(foo, free_fn) makes it. Destructors accept
 * NULL, so a local may be initialised with NULL and released on every path. */
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Hands the pointer in `p` to the caller and leaves NULL behind, so that its cleanup does nothing. */
#define STEAL(p)                                                                                                       \
	({                                                                                                             \
		__auto_type _stolen = (p);                                                                             \
		(p) = NULL;                                                                                            \
		_stolen;                                                                                               \
	})

/* The same for a file descriptor; -1 is left behind. */
#define STEAL_FD(fd)                                                                                                   \
	({                                                                                                             \
		int _stolen = (fd);                                                                                    \
		(fd) = -1;                                                                                             \
		_stolen;                                                                                               \
	})

#define PGOFS_DEFINE_FREEP(type, free_fn)                                                                              \
	static inline void free_fn##p(type **p)                                                                        \
	{                                                                                                              \
		free_fn(*p);                                                                                           \
	}

static inline void pgofs_freep(void *p)
{
	free(*(void **)p);
}

static inline void pgofs_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void pgofs_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline pthread_mutex_t *pgofs_lock_take(pthread_mutex_t *m)
{
	pthread_mutex_lock(m);
	return m;
}

static inline void pgofs_lock_release(pthread_mutex_t **m)
{
	if (*m)
		pthread_mutex_unlock(*m);
}

/* Holds mutex `m` (a pthread_mutex_t *) until the end of the enclosing scope. */
#define PGOFS_LOCKED(m)     PGOFS_LOCKED_(m, __COUNTER__)
#define PGOFS_LOCKED_(m, n) PGOFS_LOCKED__(m, n)
#define PGOFS_LOCKED__(m, n)                                                                                           \
	__attribute__((unused)) _cleanup_(pgofs_lock_release) pthread_mutex_t *_locked_##n = pgofs_lock_take(m)
