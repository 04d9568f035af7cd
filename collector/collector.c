/* What must stay true:
 * - the loop never waits for anything but its poll: no mount, no name server, no disk but the small files it is
 *   configured by;
 * - whatever one target does costs the others nothing but their share of the processor;
 * - SIGTERM ends the process within STOP_NS. Requests in flight are dropped: half a profile is none, and net/http/pprof stops
 *   profiling when its client goes. What was collected is kept: checked, spooled, and, where the spool is in memory, delivered. */
#include "collector.h"

#include "deliver.h"
#include "keep.h"
#include "plan.h"
#include "roster.h"
#include "schedule.h"
#include "scrape.h"
#include "spool.h"
#include "watch.h"

#include <pgofs/log.h>
#include <pgofs/name.h>
#include <pgofs/notify.h>
#include <pgofs/progress.h>
#include <pgofs/units.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define STOP_NS (5 * PGOFS_NS_PER_S)
#define N_FDS   40 /* signals, watchers, name servers */

/* One request under way, from its start to its judgement. */
struct flight {
	struct flight *next;
	struct slot *slot;
	struct scrape *scrape;
	int64_t taken_ns;   /* by the wall clock */
	int64_t started_ns; /* by the monotonic one */
};

struct collector {
	int argc;
	char *const *argv;
	struct plan plan;            /* the one at work; empty until the first is ready */
	struct plan next;            /* the one to take its place */
	struct plan old;             /* the one before, while the roster has its targets for lack of memory */
	const struct config *config; /* plan's, or before there is one, next's */
	int64_t discovered_round;    /* when names were last asked for */
	struct roster roster;
	struct flight *flights; /* as many as the roster has in flight */
	uint64_t seed;
	struct budget budget;
	struct spool *spool;
	struct metrics *metrics;
	struct keep *keep;
	struct deliver *deliver;
	struct watch *watch; /* NULL: nobody does */
	CURLM *multi;
	int signal_fd;
	int64_t clock_skew_ns; /* what the monotonic clock lacked to the wall clock at start */
	int64_t watchdog_ns;   /* when to speak to it next; INT64_MAX: it does not listen */
	struct pgofs_progress progress;
	size_t n_lost; /* of what was given to a keeper that hangs */
	bool reload;   /* was asked for */
	bool stopping;
};

static int64_t schedule_now(const struct collector *c)
{
	return pgofs_monotonic_ns() + c->clock_skew_ns;
}

static void wake(void *context)
{
	curl_multi_wakeup(context);
}

static void note_failure(struct collector *c, const struct target *t, const struct attempt *a, const char *why)
{
	char spent[PGOFS_UNIT_TEXT_SIZE];
	pgofs_log(PGOFS_LOG_WARNING, "target failed", "app", *t->app ? t->app : NULL, "target", t->source, "reason",
		  outcome_word(a->outcome), "why", why, "after", pgofs_duration_format(spent, a->spent_ns));
	metrics_attempt(c->metrics, a);
}

static void begin(struct collector *c, struct slot *s)
{
	struct pgofs_error err = { "" };
	const struct config *config = c->config;
	struct scrape_limits limits = { config->duration_ns + config->margin_ns, config->max_profile_bytes,
					&c->budget };
	struct flight *f = calloc(1, sizeof *f);
	roster_started(&c->roster, s);
	int r = f ? 0 : -ENOMEM;
	if (r == 0) {
		*f = (struct flight){ .slot = s, .taken_ns = pgofs_now_ns(), .started_ns = pgofs_monotonic_ns() };
		r = scrape_start(c->multi, &s->target, &limits, f, &f->scrape, &err);
	}
	if (r < 0) {
		note_failure(c, &s->target, &(struct attempt){ s->target.app, OUTCOME_LOCAL, 0, 0 }, err.text);
		roster_finished(&c->roster, s, false, schedule_now(c));
		free(f);
		return;
	}
	f->next = c->flights;
	c->flights = f;
}

static void unlink_flight(struct collector *c, const struct flight *f)
{
	struct flight **at = &c->flights;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

static void begin_due(struct collector *c)
{
	struct slot *s;
	while (c->plan.config && !c->stopping && c->roster.n_in_flight < (size_t)c->config->concurrency &&
	       (s = roster_due(&c->roster, schedule_now(c))))
		begin(c, s);
}

static void end(struct collector *c, struct scrape *scrape, CURLcode code)
{
	struct pgofs_error err = { "" };
	struct pgofs_bytes *body = NULL;
	struct flight *f = scrape_owner(scrape);
	const struct target *t = &f->slot->target;
	struct attempt a = { t->app, scrape_judge(scrape, code, &body, &err), 0, pgofs_monotonic_ns() - f->started_ns };
	scrape_free(scrape);
	if (a.outcome == OUTCOME_GOOD) {
		struct keep_item item = { t->app, t->source, f->taken_ns, a.spent_ns, body };
		if (keep_give(c->keep, &item) < 0)
			a.outcome = OUTCOME_LOCAL;
	}
	if (a.outcome != OUTCOME_GOOD)
		note_failure(c, t, &a, err.text);
	roster_finished(&c->roster, f->slot, a.outcome == OUTCOME_BUSY, schedule_now(c));
	unlink_flight(c, f);
	free(f);
}

static void end_finished(struct collector *c)
{
	int n_left;
	for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &n_left));)
		if (m->msg == CURLMSG_DONE)
			end(c, scrape_of(m->easy_handle), m->data.result);
}

static void reload(struct collector *c)
{
	struct pgofs_error err = { "" };
	struct config *config = NULL;
	c->reload = false;
	int r = config_new(c->argc, c->argv, &config, &err);
	if (r == 0)
		r = plan_begin(&c->next, config, &err);
	if (r < 0)
		pgofs_log(PGOFS_LOG_ERROR, "configuration refused, the old one stays", "why", err.text);
}

static sigset_t stop_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

/* Who is asked once more to stop, while he does, is to be gone. */
static void let_signals_kill(void)
{
	sigset_t set = stop_signals();
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void on_signals(struct collector *c)
{
	struct signalfd_siginfo info;
	while (read(c->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			c->reload = true;
			continue;
		}
		c->stopping = true;
		pgofs_log(PGOFS_LOG_INFO, "stopping", "signal", sigabbrev_np((int)info.ssi_signo));
	}
}

static void feed_watchdog(struct collector *c)
{
	struct pgofs_error err = { "" };
	int64_t now_ns = pgofs_monotonic_ns(), every_ns;
	if (now_ns < c->watchdog_ns)
		return;
	every_ns = pgofs_notify_watchdog_ns();
	c->watchdog_ns = every_ns ? now_ns + every_ns : INT64_MAX;
	if (every_ns && pgofs_notify("WATCHDOG=1", &err) < 0)
		pgofs_log(PGOFS_LOG_WARNING, "watchdog not told", "why", err.text);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Until when the loop may sleep. */
static int64_t wake_at(const struct collector *c)
{
	int64_t at = INT64_MAX;
	if (c->roster.n_in_flight < (size_t)c->config->concurrency)
		at = roster_wake_ns(&c->roster);
	if (at != INT64_MAX)
		at -= c->clock_skew_ns;
	at = earlier(at, c->watchdog_ns);
	if (c->config->once && c->progress.to_terminal)
		at = earlier(at, pgofs_monotonic_ns() + PGOFS_NS_PER_S);
	at = earlier(at, c->watch ? watch_wake_ns(c->watch) : INT64_MAX);
	at = earlier(at, c->plan.discover ? discover_wake_ns(c->plan.discover) : INT64_MAX);
	return earlier(at, c->next.discover ? discover_wake_ns(c->next.discover) : INT64_MAX);
}

static void sleep_until(struct collector *c, int64_t at_ns)
{
	struct curl_waitfd fds[N_FDS] = { { .fd = c->signal_fd, .events = CURL_WAIT_POLLIN } };
	size_t n = 1;
	if (c->watch)
		fds[n++] = (struct curl_waitfd){ .fd = watch_fd(c->watch), .events = CURL_WAIT_POLLIN };
	if (c->plan.discover)
		n += discover_fds(c->plan.discover, fds + n, (N_FDS - n) / 2);
	if (c->next.discover)
		n += discover_fds(c->next.discover, fds + n, N_FDS - n);
	int64_t left_ns = at_ns - pgofs_monotonic_ns();
	int64_t ms = left_ns <= 0 ? 0 : left_ns / PGOFS_NS_PER_MS + 1;
	curl_multi_poll(c->multi, fds, (unsigned)n, ms < 60000 ? (int)ms : 60000, NULL);
	on_signals(c);
	if (c->watch)
		watch_step(c->watch);
}

/* With --once: when every target has had its turn, gives what waits in the spool its last. True: there is nothing left to do. */
static bool finish_once(struct collector *c)
{
	if (!c->config->once || !c->plan.config || c->roster.n_in_flight || roster_wake_ns(&c->roster) != INT64_MAX ||
	    keep_pending(c->keep))
		return false;
	spool_drain(c->spool);
	return spool_settled(c->spool);
}

/* Gives the roster the present list. */
static void list_targets(struct collector *c)
{
	struct targets targets = { 0 };
	int r = discover_list(c->plan.discover, &targets);
	if (r == 0)
		r = roster_set(&c->roster, &targets, schedule_now(c));
	if (r < 0) { /* then it works on with the old list */
		pgofs_log(PGOFS_LOG_ERROR, "no memory for the list of targets");
		targets_done(&targets);
		return;
	}
	plan_done(&c->old);
	metrics_forget_targets(c->metrics);
	for (size_t i = 0; i < c->roster.n; i++)
		if (!c->roster.slots[i]->gone)
			metrics_add_target(c->metrics, c->roster.slots[i]->target.app);
}

static void announce(struct collector *c)
{
	struct pgofs_error err = { "" };
	char wait[PGOFS_UNIT_TEXT_SIZE];
	int64_t wake_ns = roster_wake_ns(&c->roster), first_ns = wake_ns - schedule_now(c);
	pgofs_log(PGOFS_LOG_INFO, "started", "targets", PGOFS_FMT("%zu", c->roster.n), "first_in",
		  wake_ns == INT64_MAX ? NULL : pgofs_duration_format(wait, first_ns > 0 ? first_ns : 0));
	if (pgofs_notify("READY=1", &err) < 0)
		pgofs_log(PGOFS_LOG_WARNING, "service manager not told", "why", err.text);
}

/* Puts the new plan to work. */
static void take_next(struct collector *c)
{
	bool first = !c->plan.config;
	struct plan old;
	plan_replace(&c->plan, &c->next, &old);
	if (c->old.config) /* the roster never had targets of the one between */
		plan_done(&old);
	else
		c->old = old;
	c->config = c->plan.config;
	struct roster_config config = { c->config->interval_ns, c->config->duration_ns, c->seed, c->config->once };
	if (first)
		roster_init(&c->roster, &config, schedule_now(c));
	else
		roster_configure(&c->roster, &config, schedule_now(c));
	c->discovered_round = schedule_round(config.interval_ns, schedule_now(c));
	list_targets(c);
	if (first)
		announce(c);
	else
		pgofs_log(PGOFS_LOG_INFO, "configuration read again", "targets", PGOFS_FMT("%zu", c->roster.n));
}

/* Keeps the list of targets up to date. */
static void discover(struct collector *c)
{
	if (c->next.discover) {
		discover_step(c->next.discover);
		if (discover_settled(c->next.discover))
			take_next(c);
	}
	if (!c->plan.discover)
		return;
	if (c->reload) /* not before there is a plan: what is at work now uses the first one's configuration */
		reload(c);
	int64_t round = schedule_round(c->config->interval_ns, schedule_now(c));
	if (round != c->discovered_round) {
		c->discovered_round = round;
		discover_refresh(c->plan.discover);
	}
	if (discover_step(c->plan.discover))
		list_targets(c);
}

/* Who ran it by hand waits for as long as profiling takes. */
static void show_progress(struct collector *c)
{
	size_t n, n_done;
	if (!c->config->once || !c->plan.config)
		return;
	roster_count(&c->roster, &n, &n_done);
	pgofs_progress_step(&c->progress, n_done, n);
}

static void loop(struct collector *c)
{
	int n_running;
	while (!c->stopping && !finish_once(c)) {
		discover(c);
		begin_due(c);
		curl_multi_perform(c->multi, &n_running);
		end_finished(c);
		feed_watchdog(c);
		show_progress(c);
		if (!finish_once(c))
			sleep_until(c, wake_at(c));
	}
	pgofs_progress_done(&c->progress);
}

static void drop_flights(struct collector *c)
{
	for (struct flight *f; (f = c->flights);) {
		c->flights = f->next;
		pgofs_log(PGOFS_LOG_DEBUG, "request dropped", "target", f->slot->target.source);
		scrape_free(f->scrape);
		roster_finished(&c->roster, f->slot, false, schedule_now(c));
		free(f);
	}
}

/* In memory nothing outlives us: what waits there gets a last try. */
static void deliver_last(struct collector *c, int64_t until_ns)
{
	struct spool_stats stats;
	spool_stats(c->spool, &stats);
	if (!stats.n_in_memory)
		return;
	spool_drain(c->spool);
	for (int64_t left_ns; !spool_settled(c->spool) && (left_ns = until_ns - pgofs_monotonic_ns()) > 0;)
		curl_multi_poll(c->multi, NULL, 0, (int)(left_ns / PGOFS_NS_PER_MS) + 1, NULL);
}

static bool has_ended(int r, const char *directory)
{
	if (r < 0)
		pgofs_log(PGOFS_LOG_ERROR, "stopping without waiting any longer for", "directory", directory);
	return r == 0;
}

/* Ends the threads. False: one of them hangs, and holds on to what it uses. */
static bool stop_threads(struct collector *c)
{
	int64_t until_ns = pgofs_monotonic_ns() + STOP_NS;
	int64_t keep_ns = until_ns - STOP_NS / 10; /* so that the other thread has a moment */
	bool ended = has_ended(keep_finish(c->keep, keep_ns), c->config->spool);
	if (!ended)
		c->n_lost = keep_pending(c->keep);
	else if (c->deliver)
		deliver_last(c, until_ns);
	spool_stop(c->spool);
	return has_ended(deliver_finish(STEAL(c->deliver), until_ns), c->config->into) && ended;
}

/* With --once: was every target that there should be profiled, and everything delivered? */
static bool is_success(struct collector *c, const struct spool_stats *stats)
{
	if (c->stopping)
		return false;
	if (!c->roster.n)
		pgofs_log(PGOFS_LOG_ERROR, "no target was found");
	return c->roster.n && discover_complete(c->plan.discover) && !metrics_failures(c->metrics) && !stats->n &&
	       !stats->n_dropped_full && !stats->n_dropped_old;
}

/* What the process answers to who started it. */
static int verdict(struct collector *c)
{
	struct spool_stats stats;
	spool_stats(c->spool, &stats);
	if (stats.n > stats.n_in_memory)
		pgofs_log(PGOFS_LOG_INFO, "profiles wait in the spool", "profiles",
			  PGOFS_FMT("%" PRIu64, stats.n - stats.n_in_memory));
	uint64_t n_lost = stats.n_in_memory + c->n_lost;
	if (n_lost)
		pgofs_log(PGOFS_LOG_ERROR, "profiles lost", "profiles", PGOFS_FMT("%" PRIu64, n_lost));
	if (c->config->once)
		return n_lost || !is_success(c, &stats);
	return n_lost != 0;
}

static int block_signals(struct collector *c, struct pgofs_error *err)
{
	sigset_t set = stop_signals();
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	c->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return c->signal_fd < 0 ? pgofs_error_errno(err, -errno, "signalfd") : 0;
}

/* A descriptor a request, and a few: the soft limit of 1024 is for programs that use select. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int start_threads(struct collector *c, struct pgofs_error *err)
{
	const struct config *config = c->config;
	struct spool_config spool = { config->spool, config->into,
				      config->spool ? config->spool_bytes : config->memory_bytes, config->memory_bytes,
				      config->spool_age_ns };
	int r = spool_open(&spool, &c->spool, err);
	if (r < 0)
		return r;
	struct keep_config keep = { c->spool, c->metrics, &c->budget, config->max_inflated_bytes, wake, c->multi };
	r = keep_start(&keep, &c->keep, err);
	if (r < 0)
		return r;
	struct deliver_config deliver = { config->into, config->require_mount, c->spool, c->metrics, wake, c->multi };
	return deliver_start(&deliver, &c->deliver, err);
}

/* The name under which profiles of no app are counted: that of the directory they go to. */
static const char *default_app(const char *into)
{
	const char *slash = strrchr(into, '/'), *name = slash ? slash + 1 : into;
	return pgofs_app_valid(name, strlen(name)) ? name : "";
}

static int render(void *context, struct pgofs_buf *append_to)
{
	struct collector *c = context;
	struct gauges g = { .n_in_flight = c->roster.n_in_flight, .n_missed = c->roster.n_missed };
	spool_stats(c->spool, &g.spool);
	return metrics_render(c->metrics, &g, append_to);
}

static int start_watch(struct collector *c, struct pgofs_error *err)
{
	struct watch_config config = { c->config->listen, render, c };
	return c->config->listen ? watch_start(&config, &c->watch, err) : 0;
}

static int start(struct collector *c, struct pgofs_error *err)
{
	int r = 0;
	if (c->config->once) /* who waits for it should not wait for profiles in vain */
		r = deliver_check(c->config->into, c->config->require_mount, err);
	if (r < 0)
		return r;
	raise_file_limit();
	if (getrandom(&c->seed, sizeof c->seed, 0) < 0)
		c->seed = (uint64_t)pgofs_now_ns();
	r = block_signals(c, err);
	if (r < 0)
		return r;
	c->clock_skew_ns = pgofs_now_ns() - pgofs_monotonic_ns();
	c->budget.max = c->config->memory_bytes;
	c->metrics = metrics_new(default_app(c->config->into));
	c->multi = curl_multi_init();
	c->progress = pgofs_progress_new("profiled", "targets");
	if (!c->metrics || !c->multi)
		return pgofs_error_errno(err, -ENOMEM, "start");
	r = start_threads(c, err);
	return r < 0 ? r : start_watch(c, err);
}

static void collector_done(struct collector *c)
{
	watch_free(c->watch);
	roster_done(&c->roster);
	plan_done(&c->next);
	plan_done(&c->plan);
	plan_done(&c->old);
	if (c->multi)
		curl_multi_cleanup(c->multi);
	spool_free(c->spool);
	metrics_free(c->metrics);
	pgofs_closep(&c->signal_fd);
}

int collector_run(struct config *config, int argc, char *const *argv, struct pgofs_error *err)
{
	struct collector c = { .argc = argc, .argv = argv, .config = config, .signal_fd = -1 };
	int r = plan_begin(&c.next, config, err);
	if (r < 0)
		return r;
	r = start(&c, err);
	if (r == 0) {
		loop(&c);
		let_signals_kill();
		pgofs_notify("STOPPING=1", NULL);
		drop_flights(&c);
	}
	bool ended = !c.spool || stop_threads(&c);
	if (r == 0)
		r = verdict(&c);
	if (!ended)
		_exit(r != 0); /* a thread still uses all this: nothing is freed, no exit handler runs under it */
	collector_done(&c);
	return r;
}
