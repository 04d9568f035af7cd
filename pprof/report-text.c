/* The report's text: the verdict first, then what it rests on, then what is hot.
 *
 * Widths are fixed, shares have one decimal, ties are in the order of names. Names come from profiles: control bytes in them become
 * '?', and long ones are cut, so a hostile name cannot draw on the reader's terminal. */
#include "report.h"

#include <pgofs/cleanup.h>
#include <pgofs/units.h>

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define TOP          25   /* edges, functions */
#define TALLIES_TOP  20   /* sources, build ids */
#define NAME_MAX_OUT 160  /* bytes of a name */
#define HOT_PERCENT  99.0 /* cmd/compile/internal/inline: pgoInlineCDFHotCallSiteThresholdPercent */

/* By samples in each, how many of the hot edges two windows of the same steady program share (measured; docs/profiles.md). */
#define SAMPLES_FEW    ((int64_t)5000)
#define SAMPLES_ENOUGH ((int64_t)20000)

struct text {
	struct pgofs_buf *out;
	int code; /* the first failure */
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (t->code < 0 || n < 0)
		return;
	size_t len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	t->code = pgofs_buf_append(t->out, line, len);
}

static void say_name(struct text *t, const struct pgofs_string *s)
{
	uint8_t name[NAME_MAX_OUT];
	size_t n = s->len < sizeof name ? s->len : sizeof name;
	for (size_t i = 0; i < n; i++)
		name[i] = s->data[i] < 0x20 || s->data[i] == 0x7f ? '?' : s->data[i];
	if (t->code == 0)
		t->code = pgofs_buf_append(t->out, name, n);
	if (s->len > sizeof name)
		say(t, "...");
	else if (s->len == 0)
		say(t, "(no name)");
}

/* "1,234,567". */
static const char *grouped(char ret[32], int64_t v)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRIu64, v < 0 ? -(uint64_t)v : (uint64_t)v), at = 0;
	if (v < 0)
		ret[at++] = '-';
	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			ret[at++] = ',';
		ret[at++] = digits[i];
	}
	ret[at] = 0;
	return ret;
}

static double percent(int64_t part, int64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Of sorted edges, how many Go calls hot: those that together pass the threshold. */
static size_t count_hot(const struct pgofs_weighed *edge, size_t n, int64_t total)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		sum += edge[i].weight;
		if (percent(sum, total) > HOT_PERCENT)
			return i + 1;
	}
	return n;
}

static void say_verdict(struct text *t, const struct pgofs_report *r, int64_t total)
{
	char samples[32];
	const struct pgofs_hot_totals *all = &r->hot.totals;
	int64_t n = all->count ? all->count : (int64_t)all->n_samples;
	grouped(samples, n);
	say(t, "verdict         ");
	if (total == 0)
		say(t, "nothing in it for the compiler: no calls\n");
	else if (percent(all->with_start, all->weight) < 50)
		say(t, "of little use: only %.1f %% of the weight has start lines\n",
		    percent(all->with_start, all->weight));
	else if (n < SAMPLES_FEW)
		say(t, "too few samples: with %s, another window would share less than half of the hot edges\n",
		    samples);
	else if (n < SAMPLES_ENOUGH)
		say(t, "usable, but %s samples are few: another window would share little more than half of the hot edges\n", samples);
	else
		say(t, "good: %s samples\n", samples);
}

static void say_inputs(struct text *t, const struct pgofs_report *r, const struct pgofs_header *h)
{
	char number[32], size[PGOFS_UNIT_TEXT_SIZE], from[PGOFS_UNIT_TEXT_SIZE], to[PGOFS_UNIT_TEXT_SIZE];
	say(t, "inputs          %s", grouped(number, (int64_t)h->n_inputs));
	if (r->stored_bytes)
		say(t, ", %s stored", pgofs_size_format(size, r->stored_bytes));
	say(t, "\nskipped         %s\n", grouped(number, (int64_t)r->n_skipped));
	say(t, "sources         %s\n", grouped(number, (int64_t)r->sources.n));
	if (r->first_ns <= r->last_ns)
		say(t, "taken           %s to %s\n", pgofs_instant_format(from, r->first_ns),
		    pgofs_instant_format(to, r->last_ns));
}

/* Beyond ten seconds nobody asks for the milliseconds. */
static const char *duration(char ret[PGOFS_UNIT_TEXT_SIZE], int64_t ns)
{
	return pgofs_duration_format(ret, ns < 10 * PGOFS_NS_PER_S ? ns : ns - ns % PGOFS_NS_PER_S);
}

static void say_time(struct text *t, const struct pgofs_report *r, const struct pgofs_header *h)
{
	char text[PGOFS_UNIT_TEXT_SIZE], number[32];
	const struct pgofs_hot_totals *all = &r->hot.totals;
	int64_t wall = pgofs_header_total(h).duration_ns;
	if (wall > 0)
		say(t, "profiled        %s of wall time, all inputs together\n", duration(text, wall));
	if (all->cpu_ns > 0) {
		say(t, "CPU time        %s", duration(text, all->cpu_ns));
		if (wall > 0)
			say(t, ", %.2f CPUs busy on average", (double)all->cpu_ns / (double)wall);
		say(t, "\n");
	}
	say(t, "samples         %s\n", grouped(number, all->count ? all->count : (int64_t)all->n_samples));
	say(t, "start lines     %.1f %% of the weight\n", percent(all->with_start, all->weight));
}

static void say_hot(struct text *t, size_t n_hot, size_t n)
{
	char all[32], hot[32];
	say(t, "call edges      %s, of which the heaviest %s make the %.0f %% that Go's compiler treats as hot\n",
	    grouped(all, (int64_t)n), grouped(hot, (int64_t)n_hot), HOT_PERCENT);
}

static void say_edges(struct text *t, const struct pgofs_edges *e, const struct pgofs_weighed *edge, size_t n,
		      int64_t total)
{
	int64_t sum = 0;
	say(t,
	    "\nhottest call edges: weight, share, sum of shares, caller -> callee, line of the call in the caller\n");
	for (size_t i = 0; i < n && i < TOP; i++) {
		const struct pgofs_edge *this = edge[i].edge;
		char weight[32];
		sum += edge[i].weight;
		say(t, "%16s %5.1f%% %5.1f%%  ", grouped(weight, edge[i].weight), percent(edge[i].weight, total),
		    percent(sum, total));
		say_name(t, &e->names.strings.v[this->caller]);
		say(t, " -> ");
		say_name(t, &e->names.strings.v[this->callee]);
		say(t, " %+" PRId64 "\n", this->offset);
	}
}

struct ranked {
	uint32_t name;
	int64_t flat, cum;
};

static int compare_strings(const struct pgofs_string *a, const struct pgofs_string *b)
{
	int r = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
	return r ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare_ranked(const void *a, const void *b, void *strings)
{
	const struct ranked *x = a, *y = b;
	const struct pgofs_string *s = strings;
	if (x->flat != y->flat)
		return x->flat > y->flat ? -1 : 1;
	if (x->cum != y->cum)
		return x->cum > y->cum ? -1 : 1;
	return compare_strings(&s[x->name], &s[y->name]);
}

static void say_functions(struct text *t, const struct pgofs_hot *hot)
{
	int64_t total = hot->totals.weight;
	_cleanup_(pgofs_freep) struct ranked *v = malloc((hot->n + 1) * sizeof *v);
	if (!v) {
		t->code = -ENOMEM;
		return;
	}
	size_t n = 0;
	for (uint32_t i = 0; i < hot->n; i++) {
		if (hot->v[i].cum || hot->v[i].flat)
			v[n++] = (struct ranked){ i, hot->v[i].flat, hot->v[i].cum };
	}
	qsort_r(v, n, sizeof *v, compare_ranked, hot->names.strings.v);
	say(t, "\nhottest functions: flat, share, cum, share\n");
	for (size_t i = 0; i < n && i < TOP; i++) {
		char flat[32], cum[32];
		say(t, "%16s %5.1f%% %16s %5.1f%%  ", grouped(flat, v[i].flat), percent(v[i].flat, total),
		    grouped(cum, v[i].cum), percent(v[i].cum, total));
		say_name(t, &hot->names.strings.v[v[i].name]);
		say(t, "\n");
	}
}

static int compare_tallies(const void *a, const void *b, void *strings)
{
	const struct pgofs_tally *x = a, *y = b;
	const struct pgofs_string *s = strings;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return compare_strings(&s[x->name], &s[y->name]);
}

static void say_tallies(struct text *t, const struct pgofs_report *r, const struct pgofs_tallies *tallies,
			const char *title)
{
	char number[32];
	_cleanup_(pgofs_freep) struct pgofs_tally *v = malloc((tallies->n + 1) * sizeof *v);
	if (!v) {
		t->code = -ENOMEM;
		return;
	}
	if (tallies->n)
		memcpy(v, tallies->v, tallies->n * sizeof *v);
	qsort_r(v, tallies->n, sizeof *v, compare_tallies, r->names.strings.v);
	say(t, "\n%s\n", title);
	for (size_t i = 0; i < tallies->n && i < TALLIES_TOP; i++) {
		say(t, "%16s  ", grouped(number, v[i].n));
		say_name(t, &r->names.strings.v[v[i].name]);
		say(t, "\n");
	}
	if (tallies->n > TALLIES_TOP)
		say(t, "%16s  and more\n", grouped(number, (int64_t)(tallies->n - TALLIES_TOP)));
}

static void say_skipped(struct text *t, const struct pgofs_report *r)
{
	if (!r->n_skipped)
		return;
	say(t, "\nskipped\n");
	for (size_t i = 0; i < r->n_skipped_kept; i++) {
		say(t, "  ");
		say_name(t, &r->names.strings.v[r->skipped[i].path]);
		say(t, ": ");
		say_name(t, &r->names.strings.v[r->skipped[i].why]);
		say(t, "\n");
	}
	if (r->n_skipped > r->n_skipped_kept)
		say(t, "  and %zu more\n", r->n_skipped - r->n_skipped_kept);
}

/* All inputs were left out: why is all there is to tell. */
static void say_nothing_used(struct text *t, const struct pgofs_report *r, const struct pgofs_header *h)
{
	say(t, "verdict         nothing in it for the compiler: no input could be used\n");
	say_inputs(t, r, h);
	say_skipped(t, r);
}

static int end(const struct text *t, size_t before, struct pgofs_error *err)
{
	if (t->code == 0)
		return 0;
	t->out->len = before;
	return pgofs_error_errno(err, t->code, "writing the report");
}

int pgofs_report_encode(const struct pgofs_report *r, const struct pgofs_edges *e, const struct pgofs_header *h,
			const struct pgofs_tables *names, struct pgofs_buf *out, struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) struct pgofs_weighed *edge = NULL;
	struct text t = { .out = out };
	size_t before = out->len, n = 0;
	int64_t total = 0;
	uint32_t type;
	if (h->n_inputs == 0) {
		say_nothing_used(&t, r, h);
		return end(&t, before, err);
	}
	int code = pgofs_edges_sorted(e, h, names, &edge, &n, &type, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < n; i++)
		total = (int64_t)((uint64_t)total + (uint64_t)edge[i].weight);

	say_verdict(&t, r, total);
	say_inputs(&t, r, h);
	say_time(&t, r, h);
	say_hot(&t, count_hot(edge, n, total), n);
	say_skipped(&t, r);
	say_edges(&t, e, edge, n, total);
	say_functions(&t, &r->hot);
	say_tallies(&t, r, &r->build_ids, "inputs by build id");
	say_tallies(&t, r, &r->sources, "inputs by source");
	return end(&t, before, err);
}
