#include "outcome.h"

static const char *const words[N_OUTCOMES] = {
	[OUTCOME_GOOD] = "good",           [OUTCOME_IDLE] = "idle",
	[OUTCOME_BUSY] = "busy",           [OUTCOME_UNREACHABLE] = "unreachable",
	[OUTCOME_HTTP] = "http",           [OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_TOO_LARGE] = "too_large", [OUTCOME_BROKEN] = "broken",
	[OUTCOME_UNUSABLE] = "unusable",   [OUTCOME_LOCAL] = "local",
};

const char *outcome_word(enum outcome outcome)
{
	return words[outcome];
}
