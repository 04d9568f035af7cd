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

__attribute__((target("sse4.1"))) static const uint8_t *read_eights(const uint8_t *at, const uint8_t *end,
								    uint32_t **out, uint32_t *max)
{
	__m128i most = _mm_setzero_si128();
	uint32_t *to = *out;
	while (end - at >= 8) {
		__m128i bytes = _mm_loadl_epi64((const __m128i *)at);
		unsigned tops = (unsigned)_mm_movemask_epi8(bytes);
		if (has_long(tops))
			break;
		put_eight(bytes, tops, to, &most);
		to += whole[tops];
		at += 8 - (tops >> 7);
	}
	uint32_t found = greatest(most);
	*max = found > *max ? found : *max;
	*out = to;
	return at;
}

/* The last one to seven bytes: as eight, with ids after the end that are not counted. The last byte must end an id. */
__attribute__((target("sse4.1"))) static const uint8_t *read_tail(const uint8_t *at, const uint8_t *end, uint32_t **out,
								  uint32_t *max)
{
	unsigned left = (unsigned)(end - at);
	__m128i bytes = _mm_loadl_epi64((const __m128i *)at), most = _mm_setzero_si128();
	unsigned tops = (unsigned)_mm_movemask_epi8(bytes) & ((1u << left) - 1);
	if (has_long(tops) || tops >> (left - 1))
		return at;
	put_eight(bytes, tops, *out, &most);
	size_t n = whole[tops] - (8 - left);
	for (size_t i = 0; i < n; i++)
		*max = (*out)[i] > *max ? (*out)[i] : *max;
	*out += n;
	return end;
}

/* Ids that are mostly short: around what stops the eights some are read singly, and then they go on. */
static const uint8_t *read_all(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t **out,
			       uint32_t *max)
{
	pthread_once(&made, make_tables);
	for (;;) {
		at = read_eights(at, end, out, max);
		if (at < end && end - at < 8 && readable - at >= 8)
			at = read_tail(at, end, out, max);
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
#else
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
