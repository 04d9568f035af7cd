/* Eight bytes at a time where the processor can shuffle bytes (x86-64 since 2008, asked at run time). Each byte without a top bit ends an id of
 * one byte or, where the byte before has a top bit, of two; so ids are put together for all eight places at once, and those at which
 * none ends are squeezed out by a table of shuffles, indexed by the top bits. Eight bytes need nothing of the eight before but how many ids
 * those had, so the processor works on several at a time. Ids of three bytes or more are read one at a time.
 *
 * What must stay true: loads stay below `readable`; what is written stays within one entry an input byte, and 16. */
#include "packed.h"

#include "hash.h"

#include <endian.h>

/* One id of at most four bytes at a time, while four can be loaded. */
static const uint8_t *read_single(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t **out,
				  uint32_t *max)
{
	if (readable - end < 3)
		end = readable - at >= 4 ? readable - 3 : at;
	while (at < end) {
		uint32_t four = le32toh(pgofs_load32(at)), ends = ~four & 0x80808080;
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

static uint8_t squeeze[256]
		      [16]; /* by the bytes that end an id: where its 16 bits come from; places left over become 0 */
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	for (unsigned ends = 0; ends < 256; ends++) {
		unsigned n = 0;
		for (unsigned at = 0; at < 8; at++) {
			if (ends >> at & 1) {
				squeeze[ends][n++] = (uint8_t)(2 * at);
				squeeze[ends][n++] = (uint8_t)(2 * at + 1);
			}
		}
		while (n < 16)
			squeeze[ends][n++] = 0x80;
	}
}

/* minpos finds a minimum: of the complement. An id 0 is more than any place. */
__attribute__((target("sse4.1"))) static uint32_t greatest(__m128i v)
{
	__m128i least = _mm_minpos_epu16(_mm_xor_si128(v, _mm_set1_epi16(-1)));
	uint32_t found = 0xffff - (uint32_t)_mm_extract_epi16(least, 0);
	return found == 0xffff ? UINT32_MAX : found;
}

/* The id that ends at each of eight bytes, less one, as if one ended at each; `before` are the bytes before them. */
__attribute__((target("sse4.1"), always_inline)) static inline __m128i ids_at(__m128i bytes, __m128i before)
{
	__m128i one = _mm_cvtepu8_epi16(bytes), low = _mm_and_si128(_mm_cvtepu8_epi16(before), _mm_set1_epi16(0x7f));
	__m128i has_two = _mm_cvtepi8_epi16(_mm_cmpgt_epi8(_mm_setzero_si128(), before));
	__m128i two = _mm_or_si128(_mm_slli_epi16(one, 7), low);
	return _mm_sub_epi16(_mm_blendv_epi8(one, two, has_two), _mm_set1_epi16(1));
}

/* Stops at the first id of three bytes, if not before; *at is where an id begins. */
__attribute__((target("sse4.1,popcnt"))) static const uint8_t *
read_eights(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t **out, uint32_t *max)
{
	__m128i most = _mm_setzero_si128();
	const uint8_t *start = at;
	uint32_t *to = *out;
	unsigned tops = 0;
	while (at < end && readable - at >= 8) {
		__m128i bytes = _mm_loadl_epi64((const __m128i *)at);
		__m128i before = at == start ? _mm_slli_si128(bytes, 1) : _mm_loadl_epi64((const __m128i *)(at - 1));
		unsigned ours = end - at < 8 ? (1u << (end - at)) - 1 : 0xff;
		if (_mm_movemask_epi8(_mm_and_si128(bytes, before)) & (int)ours)
			break;
		tops = (unsigned)_mm_movemask_epi8(bytes) & ours;
		unsigned ends = tops ^ ours;
		__m128i ids = _mm_shuffle_epi8(ids_at(bytes, before), _mm_loadu_si128((const __m128i *)squeeze[ends]));
		most = _mm_max_epu16(most, ids);
		_mm_storeu_si128((__m128i *)to, _mm_cvtepu16_epi32(ids));
		_mm_storeu_si128((__m128i *)(to + 4), _mm_unpackhi_epi16(ids, _mm_setzero_si128()));
		to += __builtin_popcount(ends);
		at += 8;
	}
	uint32_t found = greatest(most);
	*max = found > *max ? found : *max;
	*out = to;
	if (at >= end)
		return end[-1] >= 0x80 ? end + 1 : end;
	return at == start ? at : at - (at[-1] >> 7);
}

/* Ids that are mostly short: around what stops the eights some are read singly, and then they go on. */
static const uint8_t *read_all(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t **out,
			       uint32_t *max)
{
	pthread_once(&made, make_tables);
	while (at < end) {
		at = read_eights(at, end, readable, out, max);
		if (at >= end)
			break;
		const uint8_t *before = at;
		at = read_single(at, end - at > 24 ? at + 24 : end, readable, out, max);
		if (at == before)
			break;
	}
	return at;
}

const uint8_t *pgofs_packed_read(const uint8_t *at, const uint8_t *end, const uint8_t *readable, uint32_t *place,
				 size_t *ret_n, uint32_t *ret_max)
{
	uint32_t *out = place;
	*ret_max = 0;
	if (__builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("popcnt"))
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
