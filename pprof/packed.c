/* Eight bytes at a time where the processor can shuffle bytes (x86-64 since 2008, asked at run time): the top bits of eight bytes say how they
 * split into ids of one and two bytes, and index a table of shuffles that bring each id into a lane of its own. Ids of three
 * bytes or more, and the end of a run, are read one at a time, without a branch on the length up to four bytes.
 *
 * What must stay true: loads stay below `readable`; what is written stays within one entry an input byte, and 16. */
#include "packed.h"

#include "hash.h"

/* One id of at most four bytes at a time, while four can be loaded. */
static const uint8_t *read_single(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t **out,
				  uint32_t *max)
{
	if (readable - end < 3)
		end = readable - at >= 4 ? readable - 3 : at;
	while (at < end) {
		uint32_t four = pgofs_load32(at), ends = ~four & 0x80808080;
		if (!ends)
			break;
		four &= ends ^ (ends - 1);
		uint32_t id = (four & 0x7f) | (four >> 1 & 0x3f80) | (four >> 2 & 0x1fc000) | (four >> 3 & 0xfe00000);
		at += (__builtin_ctz(ends) >> 3) + 1;
		id--;
		*max = id > *max ? id : *max;
		*(*out)++ = id;
	}
	return at;
}

#if defined(__x86_64__)
#include <pthread.h>
#include <smmintrin.h>
#include <stdbool.h>

static uint8_t shuffle[256][16];
static uint8_t whole[256]; /* ids that are whole among eight bytes */
static pthread_once_t made = PTHREAD_ONCE_INIT;

/* How the bytes split whose top bits are `tops`. Lanes that are left over repeat the first id, so that they change no maximum. */
static void make_row(unsigned tops)
{
	unsigned at = 0, n = 0;
	while (at < 8) {
		bool two = tops >> at & 1;
		if (two && at == 7)
			break;
		shuffle[tops][2 * n] = (uint8_t)at;
		shuffle[tops][2 * n + 1] = two ? (uint8_t)(at + 1) : 0x80;
		at += two ? 2 : 1;
		n++;
	}
	whole[tops] = (uint8_t)n;
	for (; n < 8; n++) {
		shuffle[tops][2 * n] = shuffle[tops][0];
		shuffle[tops][2 * n + 1] = shuffle[tops][1];
	}
}

static void make_tables(void)
{
	for (unsigned tops = 0; tops < 256; tops++)
		make_row(tops);
}

/* minpos finds a minimum: of the complement. */
__attribute__((target("sse4.1"))) static uint32_t greatest(__m128i v)
{
	__m128i least = _mm_minpos_epu16(_mm_xor_si128(v, _mm_set1_epi16(-1)));
	return 0xffff - (uint32_t)_mm_extract_epi16(least, 0);
}

/* Eight bytes hold no id of three or more where no two top bits follow each other; then they are ids but for a first byte at
 * the end. */
static inline bool has_long(unsigned tops)
{
	return tops & tops >> 1;
}

__attribute__((target("sse4.1"), always_inline)) static inline void put_eight(__m128i bytes, unsigned tops,
									      uint32_t *to, __m128i *most)
{
	const __m128i low = _mm_set1_epi16(0x7f), high = _mm_set1_epi16(0x3f80), one = _mm_set1_epi16(1);
	__m128i lanes = _mm_shuffle_epi8(bytes, _mm_loadu_si128((const __m128i *)shuffle[tops]));
	__m128i ids = _mm_or_si128(_mm_and_si128(lanes, low), _mm_and_si128(_mm_srli_epi16(lanes, 1), high));
	ids = _mm_sub_epi16(ids, one);
	*most = _mm_max_epu16(*most, ids);
	_mm_storeu_si128((__m128i *)to, _mm_cvtepu16_epi32(ids));
	_mm_storeu_si128((__m128i *)(to + 4), _mm_unpackhi_epi16(ids, _mm_setzero_si128()));
}

/* Bytes of which only the first `left`, one to seven, belong to the run; the others become ids that change no maximum. */
__attribute__((target("sse4.1"), always_inline)) static inline __m128i only_first(__m128i bytes, unsigned left)
{
	__m128i mask = _mm_cvtsi64_si128((long long)(UINT64_MAX >> (64 - 8 * left)));
	return _mm_or_si128(_mm_and_si128(bytes, mask), _mm_andnot_si128(mask, _mm_set1_epi8(1)));
}

/* The last one to seven bytes are read like any eight where so many can be loaded. The last byte must end an id. */
__attribute__((target("sse4.1"))) static const uint8_t *read_eights(const uint8_t *at, const uint8_t *end,
								    const uint8_t *readable, uint32_t **out,
								    uint32_t *max)
{
	__m128i most = _mm_setzero_si128(), bytes;
	uint32_t *to = *out;
	unsigned tops = 0, left;
	while (end - at >= 8) {
		bytes = _mm_loadl_epi64((const __m128i *)at);
		tops = (unsigned)_mm_movemask_epi8(bytes);
		if (has_long(tops))
			break;
		put_eight(bytes, tops, to, &most);
		to += whole[tops];
		at += 8 - (tops >> 7);
	}
	if (at < end && end - at < 8 && readable - at >= 8) {
		left = (unsigned)(end - at);
		bytes = only_first(_mm_loadl_epi64((const __m128i *)at), left);
		tops = (unsigned)_mm_movemask_epi8(bytes);
		if (!has_long(tops) && !(tops >> (left - 1))) {
			put_eight(bytes, tops, to, &most);
			to += whole[tops] - (8 - left);
			at = end;
		}
	}
	uint32_t found = greatest(most);
	*max = found > *max ? found : *max;
	*out = to;
	return at;
}

/* Ids that are mostly short: around what stops the eights some are read singly, and then they go on. */
static const uint8_t *read_all(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t **out,
			       uint32_t *max)
{
	pthread_once(&made, make_tables);
	for (;;) {
		at = read_eights(at, end, readable, out, max);
		if (at >= end)
			return at;
		const uint8_t *before = at;
		at = read_single(at, end - at > 24 ? at + 24 : end, readable, out, max);
		if (at == before)
			return at;
	}
}

const uint8_t *pgofs_packed_read(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t *place,
				 size_t *ret_n, uint32_t *ret_max)
{
	uint32_t *out = place;
	*ret_max = 0;
	if (__builtin_cpu_supports("sse4.1"))
		at = read_all(at, end, readable, &out, ret_max);
	else
		at = read_single(at, end, readable, &out, ret_max);
	*ret_n = (size_t)(out - place);
	return at;
}

/* Sixteen bytes at a time, wherever ids begin in them: no byte is 0 (then no id is), no two top bits follow each other (then no id has three
 * bytes), and the second byte of an id, which counts 128s, is less than the whole 128s in n. */
bool pgofs_packed_surely_within(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t n)
{
	static const uint8_t sliding[32] = { [0 ... 15] = 0xff };
	const __m128i zero = _mm_setzero_si128(), one = _mm_set1_epi8(1);
	const __m128i high = _mm_set1_epi8((char)(n >> 14 ? 127 : (n >> 7) - 1));
	__m128i wrong = zero, most = zero;
	if (n < 256 || at == end || end[-1] >= 0x80 || readable - end < 16)
		return false;
	for (; at < end; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)at);
		__m128i before = _mm_loadu_si128((const __m128i *)(at - 1));
		if (end - at < 16) {
			__m128i ours = _mm_loadu_si128((const __m128i *)(sliding + 16 - (end - at)));
			bytes = _mm_or_si128(_mm_and_si128(ours, bytes), _mm_andnot_si128(ours, one));
		}
		wrong = _mm_or_si128(wrong, _mm_or_si128(_mm_cmpeq_epi8(bytes, zero), _mm_and_si128(bytes, before)));
		most = _mm_max_epu8(most, _mm_and_si128(bytes, _mm_cmpgt_epi8(zero, before)));
	}
	wrong = _mm_or_si128(wrong, _mm_cmpgt_epi8(most, high));
	return _mm_movemask_epi8(wrong) == 0;
}
#else
bool pgofs_packed_surely_within(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t n)
{
	return false;
}

const uint8_t *pgofs_packed_read(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t *place,
				 size_t *ret_n, uint32_t *ret_max)
{
	uint32_t *out = place;
	*ret_max = 0;
	at = read_single(at, end, readable, &out, ret_max);
	*ret_n = (size_t)(out - place);
	return at;
}
#endif
