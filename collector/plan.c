#include "plan.h"

#include <pgofs/log.h>

void plan_done(struct plan *p)
{
	discover_free(p->discover);
	config_free(p->config);
	*p = (struct plan){ 0 };
}

int plan_begin(struct plan *p, struct config *config, struct pgofs_error *err)
{
	plan_done(p);
	p->config = config;
	int r = discover_new(config, &p->discover, err);
	if (r < 0)
		plan_done(p);
	else
		discover_refresh(p->discover);
	return r;
}

/* What threads and sockets were built on. They hold on to the strings: the very pointers move over. */
static void inherit(struct config *now, struct config *next)
{
	static const char *const fixed[] = { "into",   "require-mount", "spool",  "spool-size", "spool-age",
					     "memory", "max-inflated",  "listen", "log-format", "log-level" };
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (config_swap(now, next, fixed[i]))
			pgofs_log(PGOFS_LOG_WARNING, "a change that needs a restart", "option", fixed[i]);
}

void plan_replace(struct plan *now, struct plan *next, struct plan *ret_old)
{
	if (now->config) {
		inherit(now->config, next->config);
		discover_inherit(next->discover, now->discover);
	}
	*ret_old = *now;
	*now = *next;
	*next = (struct plan){ 0 };
}
