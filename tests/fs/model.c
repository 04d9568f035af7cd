#include "model.h"

#include "faulty.h"

#include <pgofs/name.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pgofs_backend *model_storage;
struct pgofs_tree *model_tree;
struct model_one *model;
size_t n_model;
int64_t model_now_ns;
static uint32_t state;

static int64_t read_clock(void)
{
	return model_now_ns;
}

uint32_t dice(uint32_t sides)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % sides;
}

void model_open(const struct pgofs_tree_config *config)
{
	struct pgofs_backend *memory = NULL;
	struct pgofs_tree_config with_clock = *config;
	with_clock.now_ns = read_clock;
	with_clock.n_fetch = 3;
	cr_assert_eq(pgofs_backend_open("memory:", NULL, &memory, NULL), 0);
	model_storage = faulty_new(memory);
	model_now_ns = DAY_NS + 2 * PGOFS_NS_PER_DAY;
	cr_assert_eq(pgofs_tree_new(model_storage, &with_clock, &model_tree, NULL), 0);
	model = calloc(MODEL_MAX, sizeof *model);
	state = 4711;
}

void model_close(void)
{
	pgofs_tree_free(model_tree);
	for (size_t i = 0; i < n_model; i++)
		pgofs_bytes_unref(model[i].bytes);
	free(model);
	n_model = 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct model_one *)a)->path, ((const struct model_one *)b)->path);
}

void model_add(const char *path, struct pgofs_bytes *bytes)
{
	struct model_one one = { .bytes = bytes };
	struct pgofs_stored stored;
	int64_t days;
	cr_assert_lt(n_model, MODEL_MAX);
	snprintf(one.path, sizeof one.path, "%s", path);
	cr_assert_eq(pgofs_backend_put(model_storage, path, bytes->data, bytes->len, PGOFS_PUT_NEW, &stored, NULL), 0,
		     "%s", path);
	cr_assert_eq(pgofs_day_parse(strchr(path, '/') + 1, &days), 0);
	one.taken_ns = pgofs_taken_ns(days, strrchr(path, '/') + 1, stored.mtime_ns);
	model[n_model++] = one;
	qsort(model, n_model, sizeof *model, compare);
}

void model_drop(size_t i)
{
	cr_assert_eq(pgofs_backend_remove(model_storage, model[i].path, NULL), 0);
	pgofs_bytes_unref(model[i].bytes);
	memmove(&model[i], &model[i + 1], (--n_model - i) * sizeof *model);
}

struct pgofs_bytes *usable(void)
{
	char callee[32];
	snprintf(callee, sizeof callee, "f%u", dice(40));
	return profile_new(callee, 1 + dice(9), 0);
}

void bend(struct pgofs_bytes *b, const char *from, const char *to)
{
	uint8_t *at = memmem(b->data, b->len, from, strlen(from));
	cr_assert_not_null(at);
	memcpy(at, to, strlen(to));
}

void model_add_any(struct pgofs_bytes *bytes)
{
	static unsigned serial;
	char path[128];
	unsigned day = 21 + dice(2), crowd = dice(3), hour = crowd ? 6 : dice(24), minute = crowd == 2 ? 17 : dice(60);
	if (dice(20) == 0)
		snprintf(path, sizeof path, "app/2026/11/%u/web-%u.pprof", day, serial++);
	else
		snprintf(path, sizeof path, "app/2026/11/%u/%02u%02u%02uZ-w%u.pprof", day, hour, minute, dice(60),
			 serial++);
	model_add(path, bytes);
}

/* The merge of all at once; or what it fails with. */
static int at_once(enum pgofs_view view, int64_t from_ns, int64_t to_ns, struct pgofs_buf *out)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(1 << 20);
	size_t n = 0;
	cr_assert_eq(pgofs_merge_new(view, &m, NULL), 0);
	for (size_t i = 0; i < n_model; i++) {
		const struct model_one *one = &model[i];
		if (one->taken_ns < from_ns || one->taken_ns >= to_ns)
			continue;
		n++;
		pgofs_merge_add(m, one->bytes->data, one->bytes->len, NULL, NULL);
	}
	if (!n || pgofs_merge_count(m) == 0)
		return -ENOENT;
	cr_assert_eq(pgofs_merge_encode(m, &raw, NULL), 0);
	cr_assert_eq(pgofs_pprof_deflate(raw.data, raw.len, view == PGOFS_VIEW_PGO ? 6 : 1, out, NULL), 0);
	return 0;
}

void expect_same(const char *path, enum pgofs_view view, int64_t from_ns, int64_t to_ns, const char *when)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf want = PGOFS_BUF(1 << 20);
	_cleanup_(pgofs_bytes_unrefp) struct pgofs_bytes *got = NULL;
	struct pgofs_error err = { "" };
	pgofs_tree_refresh(model_tree);
	int r = pgofs_tree_read(model_tree, path, NULL, &got, &err);
	cr_assert_eq(r, at_once(view, from_ns, to_ns, &want), "%s: %s: %s", when, path, err.text);
	if (r == 0)
		cr_assert(got->len == want.len && !memcmp(got->data, want.data, want.len), "%s: %s", when, path);
}
