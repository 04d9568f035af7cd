/* The same rules as the encoder's, on a profile instead of a merge: a location's lines are looked at from the outermost in, and the
 * first that matches decides (google/pprof profile/prune.go, Prune). */
#include "prune.h"

#include "array.h"

#include <pgofs/cleanup.h>

#include <string.h>

void pgofs_prune_done(struct pgofs_prune *x)
{
	free(x->flag);
	free(x->first_line);
	*x = (struct pgofs_prune){ 0 };
}

static void match_functions(const struct pgofs_frames *frames, const struct pgofs_profile *p, bool *dropped)
{
	for (size_t i = 0; i < p->n_functions; i++) {
		size_t len;
		const uint8_t *name = pgofs_profile_string(p, p->function[i].name, &len);
		dropped[i] = pgofs_frames_match(frames, name, len);
	}
}

static void mark(struct pgofs_prune *x, const struct pgofs_profile *p, size_t place, const bool *dropped)
{
	const struct pgofs_raw_location *l = &p->location[place];
	x->flag[place] = 0;
	x->first_line[place] = 0;
	for (uint32_t k = l->n_lines; k-- > 0;) {
		if (!dropped[p->line[l->first_line + k].function])
			continue;
		bool whole = k + 1 == l->n_lines;
		x->flag[place] = whole ? PGOFS_FRAME_UNDER | PGOFS_FRAME_DROP : PGOFS_FRAME_UNDER;
		x->first_line[place] = whole ? 0 : k + 1;
		x->on = true;
		return;
	}
}

int pgofs_prune_prepare(struct pgofs_prune *x, const struct pgofs_frames *frames, const struct pgofs_profile *p)
{
	x->on = false;
	if (!frames->drop)
		return 0;
	_cleanup_(pgofs_freep) bool *dropped = calloc(p->n_functions + 1, sizeof *dropped);
	if (!dropped || ARRAY_RESERVE(x->flag, x->flag_cap, p->n_locations) < 0 ||
	    ARRAY_RESERVE(x->first_line, x->line_cap, p->n_locations) < 0)
		return -ENOMEM;
	match_functions(frames, p, dropped);
	for (size_t i = 0; i < p->n_locations; i++)
		mark(x, p, i, dropped);
	return 0;
}

void pgofs_prune_stack(const struct pgofs_prune *x, struct pgofs_stack *stack)
{
	bool found_user = false;
	size_t leaf = 0;
	if (!x->on)
		return;
	for (size_t i = stack->n; i-- > 0 && !leaf;) {
		uint8_t flag = x->flag[stack->place[i]];
		if (!flag)
			found_user = true;
		else if (found_user && flag & PGOFS_FRAME_DROP)
			leaf = i + 1;
		else if (found_user)
			leaf = i;
		if (flag && found_user)
			break;
	}
	stack->n -= leaf;
	if (leaf)
		memmove(stack->place, stack->place + leaf, stack->n * sizeof *stack->place);
}
