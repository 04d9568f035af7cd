/* A profile decoded ahead of its turn, with what came of it. */
#pragma once

#include "profile.h"

#include <pgofs/pprof.h>

struct pgofs_decoded {
	struct pgofs_profile profile;
	int result;
	struct pgofs_error err;
};
