#include "plan.h"

#include <pgofs/log.h>

#include <string.h>

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

static bool is_changed(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

/* Others hold on to these strings: the very pointers move over. */
static void inherit(struct config *now, struct config *next)
{
	struct {
		const char *name;
		char **now, **next;
	} fixed[] = {
		{ "into", &now->into, &next->into },
		{ "spool", &now->spool, &next->spool },
		{ "listen", &now->listen, &next->listen },
	};
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (is_changed(*fixed[i].now, *fixed[i].next))
			pgofs_log(PGOFS_LOG_WARNING, "a change that needs a restart", "option", fixed[i].name);
		char *kept = *fixed[i].now;
		*fixed[i].now = *fixed[i].next;
		*fixed[i].next = kept;
	}
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
