/* A main for fuzz targets where there is no libFuzzer: each argument is a file with one input. After it come as many inputs
 * made from it by a few changed bytes as FUZZ_MUTATIONS says (300); the same ones each time, so that a crash can be seen again. */
#include <pgofs/buf.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* splitmix64. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* One to four changes: a byte set, a bit flipped, bytes taken out, bytes doubled. `b` has room for twice its length. */
static void mutate(struct pgofs_buf *b, uint64_t *state)
{
	for (uint64_t n = 1 + next(state) % 4; n > 0 && b->len; n--) {
		size_t at = next(state) % b->len, some = 1 + next(state) % 8;
		if (some > b->len - at)
			some = b->len - at;
		switch (next(state) % 4) {
		case 0:
			b->data[at] = (uint8_t)next(state);
			break;
		case 1:
			b->data[at] ^= (uint8_t)(1u << next(state) % 8);
			break;
		case 2:
			memmove(b->data + at, b->data + at + some, b->len - at - some);
			b->len -= some;
			break;
		case 3:
			memmove(b->data + at + some, b->data + at, b->len - at);
			b->len += some;
			break;
		}
	}
}

/* Each in memory of its exact size, so that a sanitizer sees a read past its end. */
static int try_mutations(const struct pgofs_buf *b, int n)
{
	uint64_t state = b->len;
	for (int i = 0; i < n; i++) {
		_cleanup_(pgofs_buf_done) struct pgofs_buf changed = PGOFS_BUF(b->len + 64);
		if (pgofs_buf_reserve(&changed, b->len + 64) < 0 || pgofs_buf_append(&changed, b->data, b->len) < 0)
			return -1;
		mutate(&changed, &state);
		struct pgofs_bytes *exact = pgofs_bytes_dup(changed.data, changed.len);
		if (!exact)
			return -1;
		LLVMFuzzerTestOneInput(exact->data, exact->len);
		pgofs_bytes_unref(exact);
	}
	return 0;
}

static int replay(const char *path, int mutations)
{
	_cleanup_(pgofs_fclosep) FILE *f = fopen(path, "rb");
	_cleanup_(pgofs_buf_done) struct pgofs_buf b = PGOFS_BUF(64 << 20);
	size_t n = 1;

	if (!f) {
		perror(path);
		return -1;
	}
	while (n > 0) {
		if (pgofs_buf_reserve(&b, 65536) < 0)
			return -1;
		n = fread(b.data + b.len, 1, 65536, f);
		b.len += n;
	}
	LLVMFuzzerTestOneInput(b.data, b.len);
	return try_mutations(&b, mutations);
}

int main(int argc, char **argv)
{
	const char *asked = getenv("FUZZ_MUTATIONS");
	int mutations = asked ? atoi(asked) : 300;

	for (int i = 1; i < argc; i++)
		if (replay(argv[i], mutations) < 0)
			return 1;
	printf("%d inputs, each with %d mutations\n", argc - 1, mutations);
	return 0;
}
