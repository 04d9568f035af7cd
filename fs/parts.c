/* Where to cut.
 *
 * Between two neighbouring inputs there is a cut of some level, or none: another month or app, another day (directory), another quarter of
 * the day, another hour; within an hour that has many inputs another ten minutes, another minute; within that, by a hash of the path of
 * the input behind the cut, one of eight, of 64, and so on. A part of a level is a run of inputs with no cut of that level or above
 * within; one that would have a single child is that child. So what a cut depends on is next to it, and an input that comes or goes
 * changes one part of each level and no other, whatever the day looks like: sparse, full, or all of it in the same minute.
 *
 * An input without a stamp in its name stands in its day where its name does, and counts where its mtime is. So the inputs of a
 * day are first ordered by hour (and minute); what parts are for does not ask in which order they are merged. */
#include "parts.h"

#include <pgofs/units.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum level {
	UNCUT,
	HASH, /* and three above it */
	MINUTE = HASH + 4,
	TEN_MINUTES,
	HOUR,
	QUARTER,
	DAY,
	MONTH,
	ALL,
	N_LEVELS,
};

#define HASH_BITS 3

struct cutting {
	struct pgofs_parts *p;
	uint64_t *place; /* by input: number of its directory, hour of the day, and minute where it counts */
	size_t n;
	EVP_MD_CTX *digest;
	uint32_t begin[N_LEVELS]; /* input */
	uint32_t n_children[N_LEVELS];
	uint32_t child[N_LEVELS]; /* the last one; its siblings are linked by `sibling` until they have a parent */
	uint32_t *sibling;        /* by part: the one before it */
};

void pgofs_parts_free(struct pgofs_parts *p)
{
	if (!p)
		return;
	free(p->order);
	free(p->v);
	free(p);
}

/* ---- the order ---- */

static uint64_t place_of(uint64_t dir, const struct pgofs_input *input)
{
	return dir * 1440 + (uint64_t)(input->taken_ns % PGOFS_NS_PER_DAY / PGOFS_NS_PER_MIN);
}

/* Minutes count only in hours that have many inputs. `first` … `end` are those of one directory. */
static void place_dir(struct cutting *c, uint64_t dir, size_t first, size_t end)
{
	size_t in_hour[24] = { 0 };
	for (size_t i = first; i < end; i++) {
		c->place[i] = place_of(dir, &c->p->inputs[i]);
		in_hour[c->place[i] / 60 % 24]++;
	}
	for (size_t i = first; i < end; i++) {
		if (in_hour[c->place[i] / 60 % 24] < PGOFS_PARTS_MINUTES_MIN)
			c->place[i] -= c->place[i] % 60;
	}
}

static int compare_places(const void *a, const void *b, void *places)
{
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const uint64_t *place = places;
	if (place[i] != place[k])
		return place[i] < place[k] ? -1 : 1;
	return i < k ? -1 : 1;
}

static void put_in_order(struct cutting *c)
{
	const struct pgofs_input *inputs = c->p->inputs;
	uint64_t dir = 0;
	bool sorted = true;
	for (size_t first = 0, end; first < c->n; first = end, dir++) {
		for (end = first + 1; end < c->n && inputs[end].dir == inputs[first].dir; end++)
			;
		place_dir(c, dir, first, end);
	}
	for (uint32_t i = 0; i < c->n; i++) {
		c->p->order[i] = i;
		sorted &= i == 0 || c->place[i - 1] <= c->place[i];
	}
	if (!sorted)
		qsort_r(c->p->order, c->n, sizeof *c->p->order, compare_places, c->place);
}

/* ---- cuts ---- */

static bool same_month(const char *a, const char *b)
{
	size_t len = (size_t)(strrchr(a, '/') - a);
	return len == (size_t)(strrchr(b, '/') - b) && memcmp(a, b, len) == 0;
}

/* The level of the cut before the input at `at` of the order, which is not the first. */
static enum level cut_before(const struct cutting *c, size_t at)
{
	uint32_t before = c->p->order[at - 1], behind = c->p->order[at];
	uint64_t a = c->place[before], b = c->place[behind];
	if (a / 1440 != b / 1440)
		return same_month(c->p->inputs[before].dir, c->p->inputs[behind].dir) ? DAY : MONTH;
	if (a / 60 != b / 60)
		return a / 360 != b / 360 ? QUARTER : HOUR;
	if (a != b)
		return a / 10 != b / 10 ? TEN_MINUTES : MINUTE;
	int level = __builtin_ctzll(pgofs_input_hash(&c->p->inputs[behind]) | UINT64_C(1) << 63) / HASH_BITS;
	return level < MINUTE - HASH ? (enum level)level : MINUTE - HASH;
}

/* ---- parts ---- */

static int begin_digest(struct cutting *c)
{
	return EVP_DigestInit_ex(c->digest, EVP_sha256(), NULL) &&
		       EVP_DigestUpdate(c->digest, c->p->salt, c->p->salt_len)
		   ? 0
		   : -ENOMEM;
}

static int add_part(struct cutting *c, struct pgofs_part part, uint32_t *ret)
{
	struct pgofs_parts *p = c->p;
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct pgofs_part *v = reallocarray(p->v, cap, sizeof *v);
		if (!v)
			return -ENOMEM;
		p->v = v;
		uint32_t *sibling = reallocarray(c->sibling, cap, sizeof *sibling);
		if (!sibling)
			return -ENOMEM;
		c->sibling = sibling;
		p->cap = cap;
	}
	part.parent = PGOFS_PART_NONE;
	if (!EVP_DigestFinal_ex(c->digest, part.fingerprint, NULL))
		return -ENOMEM;
	*ret = (uint32_t)p->n;
	p->v[p->n++] = part;
	return 0;
}

static int make_leaf(struct cutting *c, uint32_t end, uint32_t *ret)
{
	struct pgofs_part part = { .first = c->begin[HASH], .n = end - c->begin[HASH], .is_leaf = true };
	int r = begin_digest(c);
	for (uint32_t i = part.first; r == 0 && i < end; i++)
		r = pgofs_input_digest(c->digest, &c->p->inputs[c->p->order[i]]);
	return r < 0 ? r : add_part(c, part, ret);
}

/* Over "PARTS" and the children's, the last one first. */
static int make_parent(struct cutting *c, enum level level, uint32_t end, uint32_t *ret)
{
	struct pgofs_part part = { .first = c->begin[level], .n = end - c->begin[level] };
	int r = begin_digest(c);
	if (r == 0 && !EVP_DigestUpdate(c->digest, "PARTS", 6))
		r = -ENOMEM;
	uint32_t child = c->child[level];
	for (uint32_t i = 0; r == 0 && i < c->n_children[level]; i++, child = c->sibling[child])
		r = EVP_DigestUpdate(c->digest, c->p->v[child].fingerprint, PGOFS_FINGERPRINT_SIZE) ? 0 : -ENOMEM;
	if (r == 0)
		r = add_part(c, part, ret);
	child = c->child[level];
	for (uint32_t i = 0; r == 0 && i < c->n_children[level]; i++, child = c->sibling[child])
		c->p->v[child].parent = *ret;
	return r;
}

/* The part of this level that ends before input `end`. */
static int close_level(struct cutting *c, enum level level, uint32_t end)
{
	uint32_t made = c->child[level];
	int r = 0;
	if (level == HASH)
		r = make_leaf(c, end, &made);
	else if (c->n_children[level] > 1)
		r = make_parent(c, level, end, &made);
	if (r < 0)
		return r;
	struct pgofs_part *part = &c->p->v[made];
	part->is_minute |= level == MINUTE;
	part->is_hour |= level == HOUR;
	part->is_day |= level == DAY;
	c->begin[level] = end;
	c->n_children[level] = 0;
	if (level < ALL) {
		c->sibling[made] = c->child[level + 1];
		c->child[level + 1] = made;
		c->n_children[level + 1]++;
	}
	return 0;
}

static int cut(struct cutting *c)
{
	int r = 0;
	for (size_t at = 1; r == 0 && at <= c->n; at++) {
		int highest = at < c->n ? cut_before(c, at) : ALL;
		for (int level = HASH; r == 0 && level <= highest; level++)
			r = close_level(c, (enum level)level, (uint32_t)at);
	}
	return r;
}

int pgofs_parts_new(const struct pgofs_input *inputs, size_t n, const void *salt, size_t salt_len,
		    struct pgofs_parts **ret, struct pgofs_error *err)
{
	_cleanup_(pgofs_parts_freep) struct pgofs_parts *p = calloc(1, sizeof *p);
	struct cutting c = { .p = p, .n = n };
	if (n >= PGOFS_PART_NONE)
		return pgofs_error_errno(err, -EFBIG, "merge of %zu profiles", n);
	int r = -ENOMEM;
	c.place = calloc(n, sizeof *c.place);
	c.digest = EVP_MD_CTX_new();
	if (p && (p->order = calloc(n, sizeof *p->order)) && c.place && c.digest) {
		p->inputs = inputs;
		p->salt = salt;
		p->salt_len = salt_len;
		put_in_order(&c);
		r = cut(&c);
	}
	free(c.place);
	free(c.sibling);
	EVP_MD_CTX_free(c.digest);
	if (r < 0)
		return pgofs_error_errno(err, r, "merge");
	*ret = STEAL(p);
	return 0;
}
