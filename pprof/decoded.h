/* A profile decoded for a merge, as the files of this room see it. */
#pragma once

#include "content.h"

#include <pgofs/pprof.h>

struct pgofs_decoded {
	struct pgofs_profile profile;
	struct pgofs_content content; /* in the .pprof view */
	enum pgofs_view view;
	int result; /* of decoding */
	struct pgofs_error err;
};

void pgofs_decoded_init(struct pgofs_decoded *d);
void pgofs_decoded_done(struct pgofs_decoded *d);
