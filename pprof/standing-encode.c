/* From runs to a profile: their samples one after the other are in the order in which merging their inputs would have met them. Adding them up
 * costs some nanoseconds for each of each run, whatever stacks they have; writing them is what costs. */
#include "array.h"
#include "encode.h"
#include "standing.h"

#include <pgofs/cleanup.h>

/* As the first run has it that uses it. */
static void see_mappings(struct pgofs_mapping *mapping, uint64_t *seen, const struct pgofs_run *run)
{
	for (size_t i = 0; i < run->n_mappings; i++) {
		const struct pgofs_seen_mapping *m = &run->mapping[i];
		if (!(*seen >> m->number & 1))
			mapping[m->number] = m->as;
		*seen |= UINT64_C(1) << m->number;
	}
}

static int join_headers(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, struct pgofs_header *ret)
{
	*ret = (struct pgofs_header){ .types = s->header.types,
				      .period_type = s->header.period_type,
				      .drop_frames = s->header.drop_frames,
				      .keep_frames = s->header.keep_frames };
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < runs[i]->n; k++)
			pgofs_header_join_own(ret, &s->names, &runs[i]->header[k]);
	}
	if (ret->n_inputs < 2) /* a single one is written as it is */
		return -EDOM;
	for (size_t i = 0; i < n; i++) {
		if (runs[i]->first_unused && ret->n_inputs > PGOFS_CHUNK) /* fold.c: the promises of chunks */
			return -EDOM;
	}
	return 0;
}

/* Each once, in the order of first appearance. *ret is for the caller to free. */
static int join_comments(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, uint32_t **ret,
			 size_t *ret_n)
{
	_cleanup_(pgofs_freep) bool *seen = calloc(s->names.strings.n, sizeof *seen);
	size_t all = 0;
	for (size_t i = 0; i < n; i++)
		all += runs[i]->n_comment;
	*ret_n = 0;
	*ret = malloc((all + 1) * sizeof **ret);
	if (!seen || !*ret)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < runs[i]->n_comment; k++) {
			uint32_t comment = runs[i]->comment[k];
			if (!seen[comment])
				(*ret)[(*ret_n)++] = comment;
			seen[comment] = true;
		}
	}
	return 0;
}

static int arrange(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, struct pgofs_mapping *mapping,
		   struct pgofs_arrangement *ret)
{
	uint64_t seen = 0;
	bool begun = false;
	int r = 0;
	*ret = (struct pgofs_arrangement){ .mapping = mapping };
	pgofs_round_begin(s);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (runs[i]->n && !begun) {
			ret->first_mapping = runs[i]->first.number;
			mapping[ret->first_mapping] = runs[i]->first.as;
			seen = ret->first_mapping < PGOFS_STANDING_MAPPINGS ? UINT64_C(1) << ret->first_mapping : 0;
			begun = true;
		}
		see_mappings(mapping, &seen, runs[i]);
		r = pgofs_round_add_run(s, &runs[i]->sums);
	}
	ret->sample = s->sample;
	ret->n = s->n;
	return r;
}

int pgofs_standing_encode(struct pgofs_standing *s, struct pgofs_run *const *runs, size_t n, struct pgofs_buf *out,
			  struct pgofs_error *err)
{
	_cleanup_(pgofs_freep) uint32_t *comment = NULL;
	_cleanup_(pgofs_freep) struct pgofs_mapping *mapping = calloc(s->tables.mappings.n + 1, sizeof *mapping);
	struct pgofs_header header;
	struct pgofs_arrangement arranged;
	size_t n_comments = 0;
	int r = mapping ? pgofs_standing_close(s) : -ENOMEM;
	if (r == 0)
		r = join_headers(s, runs, n, &header);
	if (r == 0)
		r = join_comments(s, runs, n, &comment, &n_comments);
	if (r == 0)
		r = arrange(s, runs, n, mapping, &arranged);
	if (r < 0)
		return pgofs_error_errno(err, r, "merging");
	struct pgofs_output o = { .tables = &s->tables,
				  .names = &s->names,
				  .header = &header,
				  .comment = comment,
				  .n_comments = n_comments,
				  .arranged = &arranged };
	return pgofs_encode(&o, out, err);
}
