#include <pgofs/log.h>
#include <pgofs/progress.h>
#include <pgofs/units.h>

#include <stdio.h>
#include <unistd.h>

struct pgofs_progress pgofs_progress_new(const char *verb, const char *noun)
{
	return (struct pgofs_progress){ .verb = verb,
					.noun = noun,
					.began_ns = pgofs_monotonic_ns(),
					.to_terminal = isatty(STDERR_FILENO) };
}

void pgofs_progress_step(void *context, size_t n_done, size_t n)
{
	struct pgofs_progress *p = context;
	char text[160];
	if (!p->to_terminal)
		return;
	int64_t now_ns = pgofs_monotonic_ns();
	if (now_ns - p->began_ns < PGOFS_NS_PER_S || now_ns - p->printed_ns < 100 * PGOFS_NS_PER_MS)
		return;
	p->printed_ns = now_ns;
	snprintf(text, sizeof text, "%s %zu of %zu %s", p->verb, n_done, n, p->noun);
	pgofs_log_status(text);
}

void pgofs_progress_done(struct pgofs_progress *p)
{
	if (p->printed_ns)
		pgofs_log_status(NULL);
	p->printed_ns = 0;
}
