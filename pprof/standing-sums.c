/* Adding up samples by number. The sum is beside the sample's key and says which adding up it belongs to, so that starting one costs nothing, and a
 * sample of it one look at memory. */
#include "array.h"
#include "standing.h"

#define AHEAD 16

void pgofs_sums_done(struct pgofs_sums *s)
{
	free(s->sample);
	free(s->first);
	free(s->times);
	free(s->value);
	*s = (struct pgofs_sums){ 0 };
}

size_t pgofs_sums_bytes(const struct pgofs_sums *s)
{
	size_t a_sample = s->first ? sizeof *s->first : s->n_types * sizeof *s->value;
	return s->n * (sizeof *s->sample + a_sample) + s->n_types * sizeof *s->times;
}

void pgofs_round_begin(struct pgofs_standing *s)
{
	s->round++;
	s->n = 0;
}

int pgofs_round_room(struct pgofs_standing *s, size_t more)
{
	if (s->n + more > UINT32_MAX)
		return -EFBIG;
	return ARRAY_RESERVE(s->sample, s->sample_cap, s->n + more);
}

/* The sample's sums, which are 0 when it is new to this adding up. */
static inline int64_t *sums_of(struct pgofs_standing *s, uint32_t sample)
{
	struct pgofs_standing_sample *beside = pgofs_index_beside(&s->tables.samples.index, sample);
	int64_t *sum = (int64_t *)(beside + 1);
	if (beside->round != s->round) {
		beside->round = s->round;
		s->sample[s->n++] = sample;
		memset(sum, 0, s->tables.n_types * sizeof *sum);
	}
	return sum;
}

static inline int64_t add(int64_t *sum, int64_t value)
{
	return *sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

int64_t pgofs_round_add(struct pgofs_standing *s, uint32_t sample, const int64_t *value)
{
	int64_t *sum = sums_of(s, sample), all = 0;
	for (size_t i = 0; i < s->tables.n_types; i++)
		all |= add(&sum[i], value[i]);
	return all;
}

static void prefetch(const struct pgofs_standing *s, const struct pgofs_sums *sums, size_t i)
{
	if (i + AHEAD < sums->n)
		__builtin_prefetch(pgofs_index_key(&s->tables.samples.index, sums->sample[i + AHEAD]), 1);
}

static int64_t add_first(struct pgofs_standing *s, const struct pgofs_sums *sums)
{
	size_t n_types = s->tables.n_types;
	const int64_t *times = sums->times;
	int64_t all = 0;
	for (size_t i = 0; i < sums->n; i++) {
		prefetch(s, sums, i);
		int64_t *sum = sums_of(s, sums->sample[i]);
		for (size_t k = 0; k < n_types; k++)
			all |= add(&sum[k], sums->first[i] * times[k]);
	}
	return all;
}

static int64_t add_all(struct pgofs_standing *s, const struct pgofs_sums *sums)
{
	int64_t all = 0;
	for (size_t i = 0; i < sums->n; i++) {
		prefetch(s, sums, i);
		all |= pgofs_round_add(s, sums->sample[i], sums->value + i * s->tables.n_types);
	}
	return all;
}

int pgofs_round_add_run(struct pgofs_standing *s, const struct pgofs_sums *sums)
{
	int r = pgofs_round_room(s, sums->n);
	if (r < 0)
		return r;
	return (sums->first ? add_first(s, sums) : add_all(s, sums)) < 0 ? -EDOM : 0;
}

/* ---- closing a run ---- */

static const int64_t *sum_at(const struct pgofs_standing *s, size_t i)
{
	return pgofs_samples_values(&s->tables, s->sample[i]);
}

/* By how much is each value the first one? False where that is not the same for all, or the first is too large. */
static bool find_times(const struct pgofs_standing *s, int64_t *times)
{
	size_t n_types = s->tables.n_types;
	for (size_t i = 0; i < s->n; i++) {
		const int64_t *sum = sum_at(s, i);
		if (sum[0] == 0 || sum[0] > UINT32_MAX)
			return false;
		for (size_t k = 0; i == 0 && k < n_types; k++)
			times[k] = sum[k] / sum[0];
		for (size_t k = 0; k < n_types; k++) {
			int64_t product;
			if (__builtin_mul_overflow(times[k], sum[0], &product) || product != sum[k])
				return false;
		}
	}
	return true;
}

static int collect(const struct pgofs_standing *s, struct pgofs_sums *ret)
{
	size_t n_types = s->tables.n_types;
	ret->n = s->n;
	ret->n_types = n_types;
	ret->sample = malloc(s->n * sizeof *ret->sample + 1);
	ret->times = malloc(n_types * sizeof *ret->times + 1);
	if (!ret->sample || !ret->times)
		return -ENOMEM;
	memcpy(ret->sample, s->sample, s->n * sizeof *s->sample);
	if (find_times(s, ret->times)) {
		ret->first = malloc(s->n * sizeof *ret->first + 1);
		for (size_t i = 0; ret->first && i < s->n; i++)
			ret->first[i] = (uint32_t)*sum_at(s, i);
		return ret->first ? 0 : -ENOMEM;
	}
	ret->value = malloc(s->n * n_types * sizeof *ret->value + 1);
	for (size_t i = 0; ret->value && i < s->n; i++)
		memcpy(ret->value + i * n_types, sum_at(s, i), n_types * sizeof *ret->value);
	return ret->value ? 0 : -ENOMEM;
}

int pgofs_standing_close(struct pgofs_standing *s)
{
	struct pgofs_run *run = s->open;
	struct pgofs_sums sums = { 0 };
	int r = run ? collect(s, &sums) : 0;
	if (r < 0)
		pgofs_sums_done(&sums);
	if (!run || r < 0)
		return r;
	s->open = NULL;
	run->open_in = NULL;
	pgofs_sums_done(&run->sums);
	run->sums = sums;
	return 0;
}
