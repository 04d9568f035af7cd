/* Label sets of a profile, each spelling of one once.
 *
 * Two sets are the same when google/pprof's sampleKey() writes the same bytes for them: the order of values within a key counts, the order of
 * keys does not, and a number with a unit differs from one without. So labels are sorted as google/pprof writes them, text before
 * numbers, then by key, values of one key as they came. */
#include "array.h"
#include "content.h"

#include <stdlib.h>

struct sorting {
	const struct pgofs_content *c;
	const struct pgofs_profile *p;
};

static int compare(const struct sorting *s, const struct pgofs_label *a, const struct pgofs_label *b)
{
	size_t x_len, y_len;
	if (a->numeric != b->numeric)
		return a->numeric ? 1 : -1;
	const uint8_t *x = pgofs_profile_string(s->p, a->key, &x_len), *y = pgofs_profile_string(s->p, b->key, &y_len);
	int r = memcmp(x, y, x_len < y_len ? x_len : y_len);
	return r ? r : (x_len > y_len) - (x_len < y_len);
}

/* Bottom-up merge sort: stable, and no worse for a million labels than its bound. Sets of one to five are the rule. */
static int sort(const struct sorting *s, struct pgofs_label *label, size_t n)
{
	bool sorted = true;
	for (size_t i = 1; i < n && sorted; i++)
		sorted = compare(s, &label[i - 1], &label[i]) <= 0;
	if (sorted)
		return 0;
	struct pgofs_label *other = malloc(n * sizeof *other);
	if (!other)
		return -ENOMEM;
	for (size_t run = 1; run < n; run *= 2) {
		for (size_t at = 0; at < n; at += 2 * run) {
			size_t middle = at + run < n ? at + run : n, end = middle + run < n ? middle + run : n;
			for (size_t i = at, j = middle, k = at; k < end; k++) {
				bool left = j >= end || (i < middle && compare(s, &label[i], &label[j]) <= 0);
				other[k] = left ? label[i++] : label[j++];
			}
		}
		memcpy(label, other, n * sizeof *label);
	}
	free(other);
	return 0;
}

static bool same_key(const struct sorting *s, const struct pgofs_label *a, const struct pgofs_label *b)
{
	return a->numeric == b->numeric && pgofs_hash_same(&s->c->string[a->key], &s->c->string[b->key]);
}

/* profile/encode.go postDecode: one unit among the numbers of a key gives all of them one, "" where none was said. */
static void spread_units(const struct sorting *s, struct pgofs_label *label, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		bool units = false;
		for (end = i; end < n && same_key(s, &label[end], &label[i]); end++)
			units |= label[end].with_units;
		for (size_t k = i; k < end; k++)
			label[k].with_units = units;
	}
}

/* In the order they are in. */
static struct pgofs_hash hash(const struct pgofs_content *c, const struct pgofs_label *label, size_t n)
{
	struct {
		struct pgofs_hash before, key, string, unit;
		int64_t number;
		uint64_t kind;
	} all = { 0 };
	for (size_t i = 0; i < n; i++) {
		const struct pgofs_label *l = &label[i];
		all.key = c->string[l->key];
		all.string = c->string[l->string];
		all.unit = c->string[l->unit];
		all.number = l->number;
		all.kind = (uint64_t)l->numeric << 1 | l->with_units;
		all.before = pgofs_hash_bytes(&all, sizeof all);
	}
	return all.before;
}

static int add_label(struct pgofs_content *c, const struct pgofs_raw_label *raw)
{
	if (!raw->string && !raw->number && !raw->unit)
		return 0; /* profile/encode.go postDecode: as if it were not there */
	if (c->n_labels >= UINT32_MAX)
		return -EFBIG;
	if (ARRAY_RESERVE(c->label, c->label_cap, c->n_labels + 1) < 0)
		return -ENOMEM;
	struct pgofs_label *l = &c->label[c->n_labels++];
	*l = (struct pgofs_label){ .key = raw->key, .string = raw->string, .numeric = !raw->string };
	if (l->numeric) {
		l->number = raw->number;
		l->unit = raw->unit;
		l->with_units = raw->unit != 0;
	}
	return 0;
}

static int read_set(struct pgofs_content *c, const struct pgofs_profile *p, struct pgofs_wire w,
		    struct pgofs_error *err)
{
	const struct sorting s = { c, p };
	struct pgofs_content_set set = { .first = (uint32_t)c->n_labels };
	struct pgofs_raw_label raw;
	int r;
	while ((r = pgofs_sample_label(p, &w, &raw, err)) > 0) {
		r = add_label(c, &raw);
		if (r < 0)
			return pgofs_error_errno(err, r, "reading labels");
	}
	if (r < 0)
		return r;
	set.n = (uint32_t)c->n_labels - set.first;
	struct pgofs_label *label = c->label + set.first;
	if (set.n && sort(&s, label, set.n) < 0)
		return pgofs_error_errno(err, -ENOMEM, "reading labels");
	spread_units(&s, label, set.n);
	set.key = hash(c, label, set.n);
	c->set[c->n_sets++] = set;
	return 0;
}

int pgofs_content_labels(struct pgofs_content *c, const struct pgofs_profile *p, const struct pgofs_sample *s,
			 uint32_t *ret, struct pgofs_error *err)
{
	struct pgofs_wire w = s->scattered_labels ? s->all : s->labels;
	struct pgofs_hash spelling = pgofs_hash_bytes(w.p, (size_t)(w.end - w.p));
	*ret = pgofs_index_find(&c->spelled, spelling);
	if (*ret != PGOFS_NONE)
		return 0;
	if (pgofs_index_reserve(&c->spelled) < 0 || ARRAY_RESERVE(c->set, c->set_cap, c->n_sets + 1) < 0)
		return pgofs_error_errno(err, -ENOMEM, "reading labels");
	int r = read_set(c, p, w, err);
	if (r < 0)
		return r;
	*ret = (uint32_t)c->n_sets - 1;
	pgofs_index_insert(&c->spelled, spelling);
	return 0;
}
