/* Profiles from outside: any bytes must be refused in words or accepted by all; what is accepted must merge, and what a merge
 * writes must be accepted again and be the same when merged alone. */
#include "../../pprof/profile.h"

#include <pgofs/pprof.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define RAW_MAX ((size_t)8 << 20)

#define MUST(what)                                                                                                     \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			abort();                                                                                       \
	} while (0)

#define BUF _cleanup_(pgofs_buf_done) struct pgofs_buf

static int add_decoded(enum pgofs_view view, struct pgofs_merge *m, const struct pgofs_buf *raw,
		       const struct pgofs_merge_input *input, struct pgofs_error *err)
{
	struct pgofs_decoded *d = pgofs_decoded_new();
	MUST(d);
	pgofs_decoded_read(d, view, raw->data, raw->len);
	int r = pgofs_merge_add_decoded(m, d, input, err);
	pgofs_decoded_free(d);
	return r;
}

/* The outcome of adding the same bytes `times` times, now decoded by the merge and now before; *out is empty where they were refused. */
static int merge(enum pgofs_view view, const struct pgofs_buf *raw, int times, struct pgofs_buf *out)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	const struct pgofs_merge_input input = { .path = "path", .source = "source" };
	struct pgofs_error err = { "" };
	int r = 0;
	MUST(pgofs_merge_new(view, &m, &err) == 0);
	for (int i = 0; r == 0 && i < times; i++)
		r = i % 2 ? add_decoded(view, m, raw, &input, &err)
			  : pgofs_merge_add(m, raw->data, raw->len, &input, &err);
	if (r == 0)
		r = pgofs_merge_encode(m, out, &err);
	MUST(r == 0 || err.text[0]);
	return r;
}

static bool drops_frames(const struct pgofs_buf *raw)
{
	struct pgofs_profile p;
	pgofs_profile_init(&p);
	MUST(pgofs_profile_decode(&p, raw->data, raw->len, NULL) == 0);
	bool drops = p.drop_frames != 0;
	pgofs_profile_done(&p);
	return drops;
}

/* Where frames are dropped, others may be dropped the next time: Prune looks for the first frame that is kept, and for one below it that is not
 * (google/pprof profile/prune.go). */
static void same_again(enum pgofs_view view, const struct pgofs_buf *raw)
{
	BUF once = PGOFS_BUF(RAW_MAX), twice = PGOFS_BUF(RAW_MAX);
	if (merge(view, raw, 1, &once) < 0)
		return;
	MUST(merge(view, &once, 1, &twice) == 0);
	MUST((view == PGOFS_VIEW_PPROF && drops_frames(&once)) ||
	     (once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0));
}

/* Bad bytes between two good profiles leave no trace. */
static void leaves_no_trace(const struct pgofs_buf *raw, const struct pgofs_buf *good)
{
	for (enum pgofs_view view = PGOFS_VIEW_PPROF; view <= PGOFS_VIEW_TXT; view++) {
		_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
		BUF with = PGOFS_BUF(RAW_MAX), without = PGOFS_BUF(RAW_MAX);
		MUST(pgofs_merge_new(view, &m, NULL) == 0);
		MUST(pgofs_merge_add(m, good->data, good->len, NULL, NULL) == 0);
		if (pgofs_merge_add(m, raw->data, raw->len, NULL, NULL) == 0)
			continue;
		MUST(pgofs_merge_add(m, good->data, good->len, NULL, NULL) == 0);
		MUST(pgofs_merge_encode(m, &with, NULL) == 0);

		_cleanup_(pgofs_merge_freep) struct pgofs_merge *clean = NULL;
		MUST(pgofs_merge_new(view, &clean, NULL) == 0);
		MUST(pgofs_merge_add(clean, good->data, good->len, NULL, NULL) == 0);
		MUST(pgofs_merge_add(clean, good->data, good->len, NULL, NULL) == 0);
		MUST(pgofs_merge_encode(clean, &without, NULL) == 0);
		MUST(with.len == without.len && memcmp(with.data, without.data, with.len) == 0);
	}
}

/* The two in parts of one each, in either order, are the same as merged at once; or there are no such parts. */
static void adds_up(const struct pgofs_buf *a, const struct pgofs_buf *b)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *at_once = NULL, *of_parts = NULL;
	BUF once = PGOFS_BUF(RAW_MAX), parts = PGOFS_BUF(RAW_MAX);
	const struct pgofs_buf *const inputs[] = { a, b };
	int added = 0;
	MUST(pgofs_merge_new(PGOFS_VIEW_PGO, &at_once, NULL) == 0);
	MUST(pgofs_merge_new(PGOFS_VIEW_PGO, &of_parts, NULL) == 0);
	for (size_t i = 0; added == 0 && i < 2; i++) {
		_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
		BUF part = PGOFS_BUF(RAW_MAX);
		MUST(pgofs_merge_new(PGOFS_VIEW_PGO, &m, NULL) == 0);
		pgofs_merge_add(m, inputs[i]->data, inputs[i]->len, NULL, NULL);
		pgofs_merge_add(at_once, inputs[i]->data, inputs[i]->len, NULL, NULL);
		added = pgofs_merge_encode_part(m, &part, NULL);
		if (added == 0)
			added = pgofs_merge_add_part(of_parts, part.data, part.len, NULL);
		MUST(added == 0 || added == -EDOM || added == -EFBIG);
	}
	if (added < 0)
		return;
	int r = pgofs_merge_encode(at_once, &once, NULL);
	MUST(pgofs_merge_encode(of_parts, &parts, NULL) == r);
	MUST(once.len == parts.len && (!once.len || memcmp(once.data, parts.data, once.len) == 0));
}

static void stand_alone(struct pgofs_standing *s, struct pgofs_run *run, struct pgofs_buf *ret)
{
	ret->len = 0;
	(void)pgofs_standing_encode(s, &run, 1, ret, NULL);
}

/* Tidied, a run is what it was, whatever was beside it. */
static void stays(struct pgofs_standing *s, struct pgofs_run *run)
{
	BUF before = PGOFS_BUF(RAW_MAX), after = PGOFS_BUF(RAW_MAX);
	stand_alone(s, run, &before);
	MUST(pgofs_standing_tidy(s, &run, 1, 0, NULL) == 0);
	stand_alone(s, run, &after);
	MUST(before.len == after.len && (!before.len || memcmp(before.data, after.data, after.len) == 0));
}

/* The two, and the first again, in two runs are the same as merged at once; or they do not stand. */
static void stands(const struct pgofs_buf *a, const struct pgofs_buf *b)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *at_once = NULL;
	_cleanup_(pgofs_standing_freep) struct pgofs_standing *standing = NULL;
	_cleanup_(pgofs_run_freep) struct pgofs_run *first = NULL, *second = NULL;
	BUF once = PGOFS_BUF(RAW_MAX), runs = PGOFS_BUF(RAW_MAX);
	const struct pgofs_buf *const inputs[] = { a, b, a };
	MUST(pgofs_merge_new(PGOFS_VIEW_PPROF, &at_once, NULL) == 0);
	MUST(pgofs_standing_new(&standing, NULL) == 0);
	MUST(pgofs_run_new(&first, NULL) == 0 && pgofs_run_new(&second, NULL) == 0);
	for (size_t i = 0; i < 3; i++) {
		int merged = pgofs_merge_add(at_once, inputs[i]->data, inputs[i]->len, NULL, NULL);
		int r = pgofs_run_add(standing, i < 2 ? first : second, inputs[i]->data, inputs[i]->len, NULL);
		if (r == -EDOM || r == -EFBIG)
			return;
		MUST(r == (merged == -EFBIG ? -EINVAL : merged));
	}
	int r = pgofs_standing_encode(standing, (struct pgofs_run *const[]){ first, second }, 2, &runs, NULL);
	if (r == -EDOM)
		return;
	MUST(pgofs_merge_encode(at_once, &once, NULL) == r);
	MUST(once.len == runs.len && (!once.len || memcmp(once.data, runs.data, once.len) == 0));
	stays(standing, first);
}

/* Bytes that are taken for a part are one. */
static void try_part(const uint8_t *data, size_t len)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	struct pgofs_error err = { "" };
	BUF again = PGOFS_BUF(RAW_MAX);
	MUST(pgofs_merge_new(PGOFS_VIEW_PGO, &m, NULL) == 0);
	int r = pgofs_merge_add_part(m, data, len, &err);
	MUST(r == 0 || err.text[0]);
	if (r == 0)
		pgofs_merge_encode(m, &again, NULL);
}

/* main.main calls main.leaf, one sample: the smallest profile that is of use. */
static const uint8_t good_bytes[] = "\x0a\x04\x08\x01\x10\x02\x12\x06\x0a\x02\x01\x02\x10\x01"
				    "\x22\x0a\x08\x01\x18\x01\x22\x04\x08\x01\x10\x07"
				    "\x22\x0a\x08\x02\x18\x02\x22\x04\x08\x02\x10\x07"
				    "\x2a\x06\x08\x01\x10\x03\x28\x01\x2a\x06\x08\x02\x10\x04\x28\x01"
				    "\x32\x00\x32\x07samples\x32\x05"
				    "count\x32\x09main.leaf\x32\x09main.main";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	BUF raw = PGOFS_BUF(RAW_MAX), good = PGOFS_BUF(1024), twice = PGOFS_BUF(RAW_MAX), text = PGOFS_BUF(RAW_MAX);
	struct pgofs_profile_info info;
	struct pgofs_error err = { "" };
	try_part(data, len);
	int checked = pgofs_pprof_check(data, len, RAW_MAX, &info, &err);
	MUST(checked == 0 || err.text[0]);
	if (pgofs_pprof_inflate(data, len, &raw, NULL) < 0)
		return 0;
	MUST(raw.len <= RAW_MAX);
	MUST(pgofs_buf_append(&good, good_bytes, sizeof good_bytes - 1) == 0);
	MUST(pgofs_pprof_check(good.data, good.len, RAW_MAX, NULL, NULL) == 0);

	int merged = merge(PGOFS_VIEW_PPROF, &raw, 2, &twice);
	MUST(checked < 0 || merged == 0);
	MUST(checked < 0 || merge(PGOFS_VIEW_TXT, &raw, 2, &text) == 0);
	same_again(PGOFS_VIEW_PPROF, &raw);
	same_again(PGOFS_VIEW_PGO, &raw);
	leaves_no_trace(&raw, &good);
	adds_up(&raw, &good);
	adds_up(&good, &raw);
	stands(&raw, &good);
	stands(&good, &raw);
	return 0;
}
