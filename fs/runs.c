/* A run begins where a hash of the input's name says so, whatever stands behind it; and before it, only that a run that is long already ends
 * sooner, for it is read again whole when one of its inputs comes or goes. */
#include "runs.h"

#include <pgofs/cleanup.h>

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define RUNS_WANTED 128
#define BITS_MIN    3

PGOFS_DEFINE_FREEP(EVP_MD_CTX, EVP_MD_CTX_free)

void pgofs_runs_done(struct pgofs_inputs_runs *r)
{
	free(r->v);
	*r = (struct pgofs_inputs_runs){ 0 };
}

unsigned pgofs_runs_bits(size_t n)
{
	unsigned bits = BITS_MIN;
	while (n >> bits > RUNS_WANTED)
		bits++;
	return bits;
}

/* Where the run ends that begins at `first`. */
static size_t end_of(const struct pgofs_input *inputs, size_t n, size_t first, unsigned bits)
{
	size_t usual = (size_t)1 << bits, end = first + 1;
	for (; end < n; end++) {
		uint64_t mask = end - first < usual ? usual - 1 : usual / 4 - 1;
		if (!(pgofs_input_hash(&inputs[end]) & mask))
			break;
	}
	return end;
}

static int fingerprint(EVP_MD_CTX *digest, const struct pgofs_input *inputs, size_t n, const void *salt,
		       size_t salt_len, uint8_t ret[static PGOFS_FINGERPRINT_SIZE])
{
	if (!EVP_DigestInit_ex(digest, EVP_sha256(), NULL) || !EVP_DigestUpdate(digest, salt, salt_len))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (pgofs_input_digest(digest, &inputs[i]) < 0)
			return -ENOMEM;
	}
	return EVP_DigestFinal_ex(digest, ret, NULL) ? 0 : -ENOMEM;
}

int pgofs_runs_cut(const struct pgofs_input *inputs, size_t n, unsigned bits, const void *salt, size_t salt_len,
		   struct pgofs_inputs_runs *ret)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	size_t n_runs = 0;
	if (n > UINT32_MAX)
		return -EFBIG;
	for (size_t first = 0; first < n; first = end_of(inputs, n, first, bits))
		n_runs++;
	_cleanup_(pgofs_runs_done) struct pgofs_inputs_runs runs = { calloc(n_runs, sizeof *runs.v), 0 };
	if (!digest || !runs.v)
		return -ENOMEM;
	for (size_t first = 0, end; first < n; first = end) {
		struct pgofs_inputs_run *run = &runs.v[runs.n++];
		end = end_of(inputs, n, first, bits);
		run->first = (uint32_t)first;
		run->n = (uint32_t)(end - first);
		if (fingerprint(digest, inputs + first, end - first, salt, salt_len, run->fingerprint) < 0)
			return -ENOMEM;
	}
	*ret = runs;
	runs = (struct pgofs_inputs_runs){ 0 };
	return 0;
}
