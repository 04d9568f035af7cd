#include "metrics.h"

#include <pgofs/units.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct row {
	struct row *next;
	uint64_t n_attempts[N_OUTCOMES];
	uint64_t bytes;
	int64_t spent_ns;
	uint64_t n_targets;
	uint64_t n_delivered, n_refused, n_postponed;
	int64_t last_delivered_ns;
	char app[];
};

struct metrics {
	pthread_mutex_t lock;
	struct row *rows; /* in order of app, and as many as apps were ever seen */
	uint64_t n_failures;
	char default_app[];
};

struct metrics *metrics_new(const char *default_app)
{
	size_t len = strlen(default_app) + 1;
	struct metrics *m = calloc(1, sizeof *m + len);
	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	memcpy(m->default_app, default_app, len);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (struct row *r; (r = m->rows);) {
		m->rows = r->next;
		free(r);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* NULL: no memory; then something goes uncounted, which is better than not done. */
static struct row *row_of(struct metrics *m, const char *app)
{
	app = *app ? app : m->default_app;
	size_t len = strlen(app) + 1;
	struct row **at = &m->rows;
	while (*at && strcmp((*at)->app, app) < 0)
		at = &(*at)->next;
	if (*at && !strcmp((*at)->app, app))
		return *at;
	struct row *r = calloc(1, sizeof *r + len);
	if (!r)
		return NULL;
	memcpy(r->app, app, len);
	r->next = *at;
	return *at = r;
}

void metrics_attempt(struct metrics *m, const struct attempt *a)
{
	PGOFS_LOCKED(&m->lock);
	m->n_failures += outcome_is_failure(a->outcome);
	struct row *r = row_of(m, a->app);
	if (!r)
		return;
	r->n_attempts[a->outcome]++;
	r->bytes += a->bytes;
	r->spent_ns += a->spent_ns;
}

void metrics_delivered(struct metrics *m, const char *app)
{
	PGOFS_LOCKED(&m->lock);
	struct row *r = row_of(m, app);
	if (!r)
		return;
	r->n_delivered++;
	r->last_delivered_ns = pgofs_now_ns();
}

void metrics_refused(struct metrics *m, const char *app)
{
	PGOFS_LOCKED(&m->lock);
	m->n_failures++;
	struct row *r = row_of(m, app);
	if (r)
		r->n_refused++;
}

void metrics_postponed(struct metrics *m, const char *app)
{
	PGOFS_LOCKED(&m->lock);
	struct row *r = row_of(m, app);
	if (r)
		r->n_postponed++;
}

uint64_t metrics_failures(struct metrics *m)
{
	PGOFS_LOCKED(&m->lock);
	return m->n_failures;
}

void metrics_forget_targets(struct metrics *m)
{
	PGOFS_LOCKED(&m->lock);
	for (struct row *r = m->rows; r; r = r->next)
		r->n_targets = 0;
}

void metrics_add_target(struct metrics *m, const char *app)
{
	PGOFS_LOCKED(&m->lock);
	struct row *r = row_of(m, app);
	if (r)
		r->n_targets++;
}

/* A page under construction; the first failure stays. */
struct page {
	struct pgofs_buf *to;
	int r;
};

__attribute__((format(printf, 2, 3))) static void put(struct page *p, const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (p->r == 0 && len > 0 && (size_t)len < sizeof line)
		p->r = pgofs_buf_append(p->to, line, (size_t)len);
}

static void put_head(struct page *p, const char *name, const char *type, const char *help)
{
	put(p, "# HELP pgofs_collector_%s %s\n# TYPE pgofs_collector_%s %s\n", name, help, name, type);
}

static void put_single(struct page *p, const char *name, const char *type, const char *help, double value)
{
	put_head(p, name, type, help);
	put(p, "pgofs_collector_%s %.17g\n", name, value);
}

/* A family with one number an app. */
struct family {
	const char *name, *type, *help;
	size_t offset; /* of a 64-bit number in struct row */
	double scale;
};

#define FROM(member) offsetof(struct row, member)
static const struct family families[] = {
	{ "targets", "gauge", "Programs to profile.", FROM(n_targets), 1 },
	{ "scrape_bytes_total", "counter", "Bytes of whole answers.", FROM(bytes), 1 },
	{ "scrape_seconds_total", "counter", "Time that requests took.", FROM(spent_ns), 1e-9 },
	{ "delivered_total", "counter", "Profiles that reached their directory.", FROM(n_delivered), 1 },
	{ "refused_total", "counter", "Profiles that their directory refused for good.", FROM(n_refused), 1 },
	{ "delivery_failures_total", "counter", "Attempts to deliver that are to be repeated.", FROM(n_postponed), 1 },
	{ "last_delivery_timestamp_seconds", "gauge", "When a profile was last delivered; 0: never.",
	  FROM(last_delivered_ns), 1e-9 },
};

static void put_family(struct page *p, const struct metrics *m, const struct family *f)
{
	put_head(p, f->name, f->type, f->help);
	for (const struct row *r = m->rows; r; r = r->next) {
		uint64_t value;
		memcpy(&value, (const char *)r + f->offset, sizeof value);
		put(p, "pgofs_collector_%s{app=\"%s\"} %.17g\n", f->name, r->app, (double)value * f->scale);
	}
}

static void put_attempts(struct page *p, const struct metrics *m)
{
	put_head(p, "scrapes_total", "counter", "Attempts to fetch a profile, by how they ended.");
	for (const struct row *r = m->rows; r; r = r->next)
		for (int i = 0; i < N_OUTCOMES; i++)
			put(p, "pgofs_collector_scrapes_total{app=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", r->app,
			    outcome_word((enum outcome)i), r->n_attempts[i]);
}

static void put_spool(struct page *p, const struct spool_stats *s)
{
	put_single(p, "spool_profiles", "gauge", "Profiles that wait to be delivered.", (double)s->n);
	put_single(p, "spool_bytes", "gauge", "Their bytes.", (double)s->bytes);
	put_single(p, "spool_oldest_timestamp_seconds", "gauge", "When the oldest of them was taken; 0: none waits.",
		   (double)s->oldest_ns * 1e-9);
	put_head(p, "spool_dropped_total", "counter", "Profiles dropped before they could be delivered.");
	put(p, "pgofs_collector_spool_dropped_total{reason=\"full\"} %" PRIu64 "\n", s->n_dropped_full);
	put(p, "pgofs_collector_spool_dropped_total{reason=\"old\"} %" PRIu64 "\n", s->n_dropped_old);
}

static double cpu_seconds(void)
{
	struct rusage u;
	if (getrusage(RUSAGE_SELF, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

int metrics_render(struct metrics *m, const struct gauges *g, struct pgofs_buf *append_to)
{
	struct page p = { append_to, 0 };
	PGOFS_LOCKED(&m->lock);
	put_attempts(&p, m);
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		put_family(&p, m, &families[i]);
	put_single(&p, "in_flight", "gauge", "Requests under way.", (double)g->n_in_flight);
	put_single(&p, "missed_total", "counter", "Rounds in which a target had no turn.", (double)g->n_missed);
	put_spool(&p, &g->spool);
	put_single(&p, "cpu_seconds_total", "counter", "Processor time this process has used.", cpu_seconds());
	return p.r;
}
