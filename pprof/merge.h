/* A merge under way, as the files of this room see it. */
#pragma once

#include "decoded.h"
#include "edges.h"
#include "fold.h"
#include "part.h"
#include "report.h"

#include <pgofs/pprof.h>

struct pgofs_merge {
	enum pgofs_view view;
	struct pgofs_decoded own;            /* for what nobody decoded before */
	const struct pgofs_profile *input;   /* the one being added; borrowed */
	const struct pgofs_content *content; /* of it, in the .pprof view */
	struct pgofs_header header;
	struct pgofs_tables names; /* strings of header and comments */

	uint32_t *comment; /* owned; in `names`, each once, in order of first appearance */
	size_t n_comments, comment_cap;
	bool *comment_seen; /* owned; by string of `names` */
	size_t comment_seen_cap;

	struct pgofs_tables tables; /* of the .pprof view; without types before the first input */
	struct pgofs_fold fold;
	struct pgofs_buf only; /* the first input's raw form, while it is the only one */

	struct pgofs_edges edges;   /* of the other views */
	struct pgofs_frames frames; /* of the first input, as soon as there is one */
	struct pgofs_prune prune;
	struct pgofs_kind kind; /* of the .pgo view */
	bool of_parts;
	struct pgofs_report report; /* of the .txt view */
};
