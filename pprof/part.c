/* The bytes of a part: what was common to its inputs, then the names and the edges, each edge with the one weight that Go takes.
 *
 *	"pgofs-part" VERSION
 *	n_inputs                                  nothing follows where there are none
 *	start_lines                               0 or 1
 *	common                                    struct pgofs_kind, as bytes; equal in all parts of a merge
 *	type, unit, period type, period unit      bytes
 *	n_names, name …                           bytes
 *	n_edges, (caller, callee, offset, weight) …
 *
 * Numbers are varints, those with a sign in zigzag; bytes have their length before them. It may come back from a storage, so reading it
 * trusts nothing; it is written and read by one program, so another version is simply no part. */
#include "part.h"

#include "array.h"
#include "merge.h"

#include <pgofs/cleanup.h>

#include <string.h>

#define MAGIC "pgofs-part\1"

/* ---- what is common ---- */

void pgofs_kind_init(struct pgofs_kind *k)
{
	*k = (struct pgofs_kind){ .common = PGOFS_BUF(SIZE_MAX), .input = PGOFS_BUF(SIZE_MAX) };
}

void pgofs_kind_done(struct pgofs_kind *k)
{
	pgofs_buf_done(&k->common);
	pgofs_buf_done(&k->input);
}

static int put_number(struct pgofs_buf *b, uint64_t v)
{
	uint8_t bytes[10];
	return pgofs_buf_append(b, bytes, (size_t)(pgofs_varint_put(bytes, v) - bytes));
}

static int put_bytes(struct pgofs_buf *b, const void *data, size_t len)
{
	int r = put_number(b, len);
	return r < 0 ? r : pgofs_buf_append(b, data, len);
}

int pgofs_kind_begin(struct pgofs_kind *k, const struct pgofs_profile *p)
{
	const uint32_t one[] = { p->period_type.type, p->period_type.unit, p->drop_frames, p->keep_frames };
	size_t len;
	int r = 0;
	k->input.len = 0;
	for (size_t i = 0; r == 0 && i < sizeof one / sizeof *one; i++) {
		const uint8_t *s = pgofs_profile_string(p, one[i], &len);
		r = put_bytes(&k->input, s, len);
	}
	for (size_t i = 0; r == 0 && i < 2 * p->n_types; i++) {
		const struct pgofs_raw_type *t = &p->type[i / 2];
		const uint8_t *s = pgofs_profile_string(p, i % 2 ? t->unit : t->type, &len);
		r = put_bytes(&k->input, s, len);
	}
	return r;
}

static bool same(const struct pgofs_buf *a, const void *data, size_t len)
{
	return a->len == len && (len == 0 || memcmp(a->data, data, len) == 0);
}

void pgofs_kind_added(struct pgofs_kind *k)
{
	if (!k->common.len) {
		struct pgofs_buf was = k->common;
		k->common = k->input;
		k->input = was;
	} else {
		k->mixed |= !same(&k->common, k->input.data, k->input.len);
	}
}

static bool has_type_for_go(const struct pgofs_profile *p)
{
	bool has = false;
	for (size_t i = 0; i < p->n_types && !has; i++) {
		const struct pgofs_raw_type *t = &p->type[i];
		has = (pgofs_profile_string_is(p, t->type, "samples") && pgofs_profile_string_is(p, t->unit, "count")) ||
		      (pgofs_profile_string_is(p, t->type, "cpu") && pgofs_profile_string_is(p, t->unit, "nanoseconds"));
	}
	return has;
}

/* Might it go with some other profile, in that one's units? A heap profile goes with none. */
static bool could_be_for_go(const struct pgofs_profile *p)
{
	bool could = false;
	for (size_t i = 0; i < p->n_types && !could; i++)
		could = pgofs_profile_string_is(p, p->type[i].type, "samples") ||
			pgofs_profile_string_is(p, p->type[i].type, "cpu");
	return could;
}

/* Refused for what it is, it would be refused by any merge. Else another merge might have taken it, or refused the others. */
void pgofs_kind_refused(struct pgofs_kind *k, const struct pgofs_profile *p, int result)
{
	if (result != -EINVAL)
		k->mixed = true;
	else if (!k->common.len)
		k->mixed |= could_be_for_go(p) && !has_type_for_go(p);
	else
		k->mixed |= could_be_for_go(p) && !same(&k->common, k->input.data, k->input.len);
}

/* ---- writing ---- */

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int put_string(struct pgofs_buf *b, const struct pgofs_tables *names, uint32_t number)
{
	const struct pgofs_string *s = &names->strings.v[number];
	return put_bytes(b, s->data, s->len);
}

static int put_header(const struct pgofs_merge *m, uint32_t type, struct pgofs_buf *out)
{
	const struct pgofs_header *h = &m->header;
	const uint32_t one[] = { h->types.v[type].type, h->types.v[type].unit, h->period_type.type, h->period_type.unit };
	int r = put_number(out, h->n_inputs);
	if (r == 0)
		r = put_number(out, m->edges.start_lines);
	if (r == 0)
		r = put_bytes(out, m->kind.common.data, m->kind.common.len);
	for (size_t i = 0; r == 0 && i < sizeof one / sizeof *one; i++)
		r = put_string(out, &m->names, one[i]);
	return r;
}

/* Numbers the names that edges have, in the order of their first use. */
static size_t number_names(const struct pgofs_edges *e, uint32_t type, uint32_t *number, uint32_t *ret_order, size_t *ret_n)
{
	size_t n_edges = 0;
	*ret_n = 0;
	memset(number, 0xff, e->names.strings.n * sizeof *number);
	for (size_t i = 0; i < e->n; i++) {
		const uint32_t ends[] = { e->v[i].caller, e->v[i].callee };
		if (!e->value[i * e->n_types + type])
			continue;
		n_edges++;
		for (size_t k = 0; k < 2; k++) {
			if (number[ends[k]] != PGOFS_NONE)
				continue;
			number[ends[k]] = (uint32_t)*ret_n;
			ret_order[(*ret_n)++] = ends[k];
		}
	}
	return n_edges;
}

static int put_edges(const struct pgofs_edges *e, uint32_t type, struct pgofs_buf *out)
{
	_cleanup_(pgofs_freep) uint32_t *number = calloc(2 * e->names.strings.n + 1, sizeof *number);
	if (!number)
		return -ENOMEM;
	uint32_t *order = number + e->names.strings.n;
	size_t n_names, n_edges = number_names(e, type, number, order, &n_names);
	int r = put_number(out, n_names);
	for (size_t i = 0; r == 0 && i < n_names; i++)
		r = put_string(out, &e->names, order[i]);
	if (r == 0)
		r = put_number(out, n_edges);
	if (r == 0)
		r = pgofs_buf_reserve(out, n_edges * 40);
	uint8_t *at = r == 0 ? out->data + out->len : NULL;
	for (size_t i = 0; r == 0 && i < e->n; i++) {
		int64_t weight = e->value[i * e->n_types + type];
		if (!weight)
			continue;
		at = pgofs_varint_put(at, number[e->v[i].caller]);
		at = pgofs_varint_put(at, number[e->v[i].callee]);
		at = pgofs_varint_put(at, zigzag(e->v[i].offset));
		at = pgofs_varint_put(at, zigzag(weight));
	}
	if (r == 0)
		out->len = (size_t)(at - out->data);
	return r;
}

int pgofs_merge_encode_part(const struct pgofs_merge *m, struct pgofs_buf *out, struct pgofs_error *err)
{
	if (m->view != PGOFS_VIEW_PGO)
		return pgofs_error_set(err, -EINVAL, "only a merge of edges has parts");
	if (m->kind.mixed || m->edges.by_address)
		return pgofs_error_set(err, -EDOM, "profiles of more than one kind");
	uint32_t type = pgofs_types_for_go(&m->header.types, &m->names);
	int r = pgofs_buf_append(out, MAGIC, sizeof MAGIC - 1);
	if (r == 0 && m->header.n_inputs == 0)
		r = put_number(out, 0);
	else if (r == 0)
		r = put_header(m, type, out);
	if (r == 0 && m->header.n_inputs)
		r = put_edges(&m->edges, type, out);
	return r < 0 ? pgofs_error_errno(err, r, "writing a part") : 0;
}

/* ---- reading ---- */

static int get_bytes(struct pgofs_wire *w, struct pgofs_wire *ret)
{
	uint64_t len;
	if (pgofs_wire_varint(w, &len) < 0 || len > (size_t)(w->end - w->p))
		return -EINVAL;
	*ret = (struct pgofs_wire){ w->p, w->p + len };
	w->p += len;
	return 0;
}

static int get_string(struct pgofs_wire *w, struct pgofs_tables *names, uint32_t *ret)
{
	struct pgofs_wire s;
	int r = get_bytes(w, &s);
	return r < 0 ? r : pgofs_string_add(names, s.p, (size_t)(s.end - s.p), ret);
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ -(v & 1));
}

static int get_edge(struct pgofs_wire *w, struct pgofs_edges *e, const uint32_t *name, size_t n_names)
{
	uint64_t v[4];
	for (size_t i = 0; i < 4; i++) {
		if (pgofs_wire_varint(w, &v[i]) < 0)
			return -EINVAL;
	}
	if (v[0] >= n_names || v[1] >= n_names)
		return -EINVAL;
	struct pgofs_edge edge = { .offset = unzigzag(v[2]), .caller = name[v[0]], .callee = name[v[1]] };
	return pgofs_edges_add(e, edge, unzigzag(v[3]));
}

static int get_edges(struct pgofs_wire *w, struct pgofs_edges *e)
{
	uint64_t n_names, n;
	if (pgofs_wire_varint(w, &n_names) < 0 || n_names > (size_t)(w->end - w->p)) /* a name takes a byte at least */
		return -EINVAL;
	_cleanup_(pgofs_freep) uint32_t *name = malloc((n_names + 1) * sizeof *name);
	if (!name)
		return -ENOMEM;
	int r = 0;
	for (size_t i = 0; r == 0 && i < n_names; i++)
		r = get_string(w, &e->names, &name[i]);
	if (r == 0)
		r = pgofs_wire_varint(w, &n);
	for (uint64_t i = 0; r == 0 && i < n; i++)
		r = get_edge(w, e, name, n_names);
	return r == 0 && w->p != w->end ? -EINVAL : r;
}

/* Takes over what is common, or compares it. */
static int get_kind(struct pgofs_wire *w, struct pgofs_kind *k)
{
	struct pgofs_wire common;
	int r = get_bytes(w, &common);
	size_t len = r == 0 ? (size_t)(common.end - common.p) : 0;
	if (r == 0 && !len)
		return -EINVAL;
	if (r == 0 && !k->common.len)
		return pgofs_buf_append(&k->common, common.p, len);
	return r == 0 && !same(&k->common, common.p, len) ? -EDOM : r;
}

static int get_header(struct pgofs_wire *w, struct pgofs_merge *m, uint64_t n_inputs)
{
	uint64_t start_lines;
	struct pgofs_header *h = &m->header;
	int r = pgofs_wire_varint(w, &start_lines);
	if (r == 0)
		r = get_kind(w, &m->kind);
	struct pgofs_type type, period;
	uint32_t *const one[] = { &type.type, &type.unit, &period.type, &period.unit };
	for (size_t i = 0; r == 0 && i < sizeof one / sizeof *one; i++)
		r = get_string(w, &m->names, one[i]);
	if (r < 0)
		return r;
	*h = (struct pgofs_header){ .types = { .v = { type }, .n = 1 },
				    .period_type = period,
				    .n_inputs = h->n_inputs + (size_t)n_inputs };
	m->edges.start_lines |= start_lines != 0;
	return pgofs_types_for_go(&h->types, &m->names) == PGOFS_NONE ? -EINVAL : 0;
}

int pgofs_merge_add_part(struct pgofs_merge *m, const void *part, size_t len, struct pgofs_error *err)
{
	struct pgofs_wire w = { part, (const uint8_t *)part + len };
	uint64_t n_inputs;
	if (m->view != PGOFS_VIEW_PGO || (m->header.n_inputs && !m->of_parts))
		return pgofs_error_set(err, -EINVAL, "parts go into a merge of parts");
	int r = len < sizeof MAGIC - 1 || memcmp(part, MAGIC, sizeof MAGIC - 1) != 0 ? -EINVAL : 0;
	w.p += r == 0 ? sizeof MAGIC - 1 : 0;
	if (r == 0)
		r = pgofs_wire_varint(&w, &n_inputs);
	if (r == 0 && n_inputs == 0)
		return w.p == w.end ? 0 : pgofs_error_errno(err, -EINVAL, "reading a part");
	m->of_parts = true;
	if (r == 0)
		r = get_header(&w, m, n_inputs);
	if (r == 0)
		r = get_edges(&w, &m->edges);
	return r < 0 ? pgofs_error_errno(err, r, "reading a part") : 0;
}
