/* Only for a person: nothing is printed where stderr is no terminal, nor in the first second, nor more than ten times a second. */
#include "progress.h"

#include <pgofs/units.h>

#include <stdio.h>
#include <unistd.h>

struct pgofs_progress pgofs_progress_new(const char *verb)
{
	return (struct pgofs_progress){ .verb = verb,
					.began_ns = pgofs_monotonic_ns(),
					.to_terminal = isatty(STDERR_FILENO) };
}

void pgofs_progress_step(void *context, size_t n_done, size_t n)
{
	struct pgofs_progress *p = context;
	if (!p->to_terminal)
		return;
	int64_t now_ns = pgofs_monotonic_ns();
	if (now_ns - p->began_ns < PGOFS_NS_PER_S || now_ns - p->printed_ns < 100 * PGOFS_NS_PER_MS)
		return;
	p->printed_ns = now_ns;
	fprintf(stderr, "\r%s %zu of %zu profiles\033[K", p->verb, n_done, n);
	fflush(stderr);
}

void pgofs_progress_done(struct pgofs_progress *p)
{
	if (p->printed_ns)
		fputs("\r\033[K", stderr);
	p->printed_ns = 0;
}
