/* Merges files into one view, raw: `merge-files OUT.pprof FILE…`. For the tests, which need no storage and no options; a
 * broken file is an error here.
 *
 * `merge-files --standing OUT.pprof FILE…` makes the same by way of a standing merge that has had other inputs before: its files come in runs, of
 * which some go and come again. Exit code 3 says that they do not stand. */
#include <pgofs/cleanup.h>
#include <pgofs/pprof.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int slurp(const char *path, struct pgofs_buf *into)
{
	_cleanup_(pgofs_fclosep) FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	for (;;) {
		if (pgofs_buf_reserve(into, 1 << 16) < 0)
			return -1;
		size_t n = fread(into->data + into->len, 1, into->cap - into->len, f);
		into->len += n;
		if (n == 0)
			return ferror(f) ? -1 : 0;
	}
}

static int read_raw(const char *path, struct pgofs_buf *raw, size_t *ret_stored, struct pgofs_error *err)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf stored = PGOFS_BUF(SIZE_MAX);
	if (slurp(path, &stored) < 0)
		return pgofs_error_errno(err, -errno, "%s", path);
	*ret_stored = stored.len;
	return pgofs_pprof_inflate(stored.data, stored.len, raw, err);
}

static int merge(enum pgofs_view view, int n, char **paths, struct pgofs_buf *out, struct pgofs_error *err)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	int r = pgofs_merge_new(view, &m, err);
	for (int i = 0; r == 0 && i < n; i++) {
		_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(PGOFS_RAW_MAX);
		struct pgofs_merge_input input = { .path = paths[i] };
		r = read_raw(paths[i], &raw, &input.stored_bytes, err);
		if (r == 0)
			r = pgofs_merge_add(m, raw.data, raw.len, &input, err);
		if (r < 0)
			pgofs_error_wrap(err, r, "%s", paths[i]);
	}
	return r < 0 ? r : pgofs_merge_encode(m, out, err);
}

/* ---- in runs ---- */

#define RUNS_MAX 64

struct runs {
	struct pgofs_standing *standing;
	struct pgofs_run *v[RUNS_MAX];
	size_t n;
};

static void runs_done(struct runs *x)
{
	for (size_t i = 0; i < x->n; i++)
		pgofs_run_free(x->v[i]);
	pgofs_standing_free(x->standing);
}

static int make_run(struct pgofs_standing *s, int n, char **paths, struct pgofs_run **ret, struct pgofs_error *err)
{
	int r = pgofs_run_new(ret, err);
	for (int i = 0; r == 0 && i < n; i++) {
		_cleanup_(pgofs_buf_done) struct pgofs_buf raw = PGOFS_BUF(PGOFS_RAW_MAX);
		size_t stored;
		r = read_raw(paths[i], &raw, &stored, err);
		if (r == 0)
			r = pgofs_run_add(s, *ret, raw.data, raw.len, err);
	}
	return r;
}

/* Runs of one, two, three … files; each is made, freed, and made again when the others are there, so that numbers are not in its order. */
static int make_runs(struct runs *x, int n, char **paths, struct pgofs_error *err)
{
	int at[RUNS_MAX + 1] = { 0 };
	int r = pgofs_standing_new(&x->standing, err);
	for (int from = 0, len = 1; from < n; from += len++) {
		x->n++;
		at[x->n] = from + len < n ? from + len : n;
	}
	for (size_t i = x->n; r == 0 && i-- > 0;)
		r = make_run(x->standing, at[i + 1] - at[i], paths + at[i], &x->v[i], err);
	for (size_t i = 0; r == 0 && i < x->n; i += 2) {
		pgofs_run_free(STEAL(x->v[i]));
		r = make_run(x->standing, at[i + 1] - at[i], paths + at[i], &x->v[i], err);
	}
	return r;
}

/* A profile of some of the runs, then of all but the first, when the rest was forgotten, then of all. */
static int merge_standing(int n, char **paths, struct pgofs_buf *out, struct pgofs_error *err)
{
	_cleanup_(runs_done) struct runs x = { .n = 0 };
	int r = make_runs(&x, n, paths, err);
	for (size_t k = x.n; r == 0 && k > 1; k = (k + 1) / 2) {
		_cleanup_(pgofs_buf_done) struct pgofs_buf some = PGOFS_BUF(SIZE_MAX);
		r = pgofs_standing_encode(x.standing, x.v + x.n - k, k, &some, err);
		if (k == 2)
			break;
	}
	if (r == 0 && x.n > 1)
		r = pgofs_standing_tidy(x.standing, x.v + 1, x.n - 1, 0, err);
	if (r == 0 && x.n > 1) {
		pgofs_run_free(STEAL(x.v[0]));
		r = make_run(x.standing, 1, paths, &x.v[0], err);
	}
	return r < 0 ? r : pgofs_standing_encode(x.standing, x.v, x.n, out, err);
}

int main(int argc, char **argv)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(SIZE_MAX);
	_cleanup_(pgofs_fclosep) FILE *f = NULL;
	struct pgofs_error err = { "" };
	enum pgofs_view view;
	bool standing = argc > 1 && !strcmp(argv[1], "--standing");
	char **words = argv + 1 + standing;
	int n = argc - 2 - standing;
	const char *dot = n > 0 ? strrchr(words[0], '.') : NULL;
	if (!dot || pgofs_view_parse(dot + 1, &view) < 0 || (standing && view != PGOFS_VIEW_PPROF)) {
		fprintf(stderr, "usage: merge-files [--standing] OUT.{pprof,pgo,txt} FILE...\n");
		return 2;
	}
	int r = standing ? merge_standing(n, words + 1, &out, &err) : merge(view, n, words + 1, &out, &err);
	if (r < 0) {
		fprintf(stderr, "%s\n", err.text);
		return r == -EDOM ? 3 : 1;
	}
	f = fopen(words[0], "we");
	if (!f || fwrite(out.data, 1, out.len, f) != out.len || fflush(f) != 0) {
		perror(words[0]);
		return 1;
	}
	return 0;
}
