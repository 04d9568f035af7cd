/* Says of each file whether it would be stored, one line each: "ok" or why not. For the judge beside it. */
#include <pgofs/cleanup.h>
#include <pgofs/pprof.h>

#include <stdio.h>

static int check(const char *path)
{
	_cleanup_(pgofs_buf_done) struct pgofs_buf stored = PGOFS_BUF(PGOFS_STORED_MAX);
	_cleanup_(pgofs_fclosep) FILE *f = fopen(path, "re");
	struct pgofs_error err = { "" };
	size_t n = 1;
	if (!f) {
		perror(path);
		return -1;
	}
	while (n > 0) {
		if (pgofs_buf_reserve(&stored, 1 << 16) < 0)
			return -1;
		n = fread(stored.data + stored.len, 1, stored.cap - stored.len, f);
		stored.len += n;
	}
	int r = pgofs_pprof_check(stored.data, stored.len, PGOFS_RAW_MAX, NULL, &err);
	puts(r == 0 ? "ok" : err.text);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (check(argv[i]) < 0)
			return 1;
	}
	return 0;
}
