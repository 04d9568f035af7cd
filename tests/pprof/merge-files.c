/* Merges files into one view, raw: `merge-files OUT.pprof FILE…`. For the tests, which need no storage and no options; a
 * broken file is an error here. */
#include <pgofs/cleanup.h>
#include <pgofs/pprof.h>

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

static int add(struct pgofs_merge *m, const char *path)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf stored = PGOFS_BUF(SIZE_MAX), raw = PGOFS_BUF(PGOFS_RAW_MAX);
	struct pgofs_error err = { "" };
	struct pgofs_merge_input input = { .path = path };
	if (slurp(path, &stored) < 0) {
		perror(path);
		return -1;
	}
	input.stored_bytes = stored.len;
	if (pgofs_pprof_inflate(stored.data, stored.len, &raw, &err) < 0 ||
	    pgofs_merge_add(m, raw.data, raw.len, &input, &err) < 0) {
		fprintf(stderr, "%s: %s\n", path, err.text);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(pgofs_merge_freep) struct pgofs_merge *m = NULL;
	_cleanup_(pgofs_buf_done) struct pgofs_buf out = PGOFS_BUF(SIZE_MAX);
	_cleanup_(pgofs_fclosep) FILE *f = NULL;
	struct pgofs_error err = { "" };
	enum pgofs_view view;
	const char *dot = argc > 2 ? strrchr(argv[1], '.') : NULL;
	if (!dot || pgofs_view_parse(dot + 1, &view) < 0) {
		fprintf(stderr, "usage: merge-files OUT.{pprof,pgo,txt} FILE...\n");
		return 2;
	}
	if (pgofs_merge_new(view, &m, &err) < 0)
		goto fail;
	for (int i = 2; i < argc; i++) {
		if (add(m, argv[i]) < 0)
			return 1;
	}
	if (pgofs_merge_encode(m, &out, &err) < 0)
		goto fail;
	f = fopen(argv[1], "we");
	if (!f || fwrite(out.data, 1, out.len, f) != out.len || fflush(f) != 0) {
		perror(argv[1]);
		return 1;
	}
	return 0;
fail:
	fprintf(stderr, "%s\n", err.text);
	return 1;
}
