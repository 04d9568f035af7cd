/* pgofs mount: the life of a mount.
 *
 *	options -> fork -> storage answers -> /dev/fuse mounted -> first request: ready -> requests -> signal -> unmounted
 *
 * What must stay true:
 * - Whoever waits (a parent, systemd, --ready-fd) hears "ready" once, and only after storage answered and the kernel asked its first
 *   question. Any failure before is an exit code and one line on stderr.
 * - No thread is older than the fork. SIGTERM and Ctrl-C are for the keeper while main starts, which may take as long as a disk hangs; then for main,
 *   who alone waits in libfuse's loop.
 * - At the end requests under way are answered first: merges are given up, so that takes one storage operation's deadline at the longest. Then the
 *   mount goes, lazily where files are open. */
#define FUSE_USE_VERSION 312

#include "command.h"
#include "fuse-parallel.h"
#include "fuse.h"
#include "mount-options.h"
#include "mountpoint.h"

#include <pgofs/backend.h>
#include <pgofs/notify.h>
#include <pgofs/units.h>

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Threads beyond these end when they have nothing to do: each has a buffer of a MiB, and the kernel takes them in turn. */
#define IDLE_THREADS_MAX 16

enum stage {
	STARTING,
	SERVING,
	ENDED,
};

struct mount {
	struct pgofs_mount_options options;
	struct pgofs_tree *tree;
	struct pgofs_fuse *fuse;
	struct fuse_session *session;
	int parent_fd;   /* where the waiting parent reads, or -1 */
	bool is_misused; /* what failed is how it was called */
	pthread_t keeper;
	_Atomic enum stage stage;
};

/* libfuse's messages have no context. While nobody is told "ready", a person may be reading stderr. */
static atomic_bool is_starting;

static void log_libfuse(enum fuse_log_level level, const char *format, va_list args)
{
	char text[512];
	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = 0;
	if (atomic_load(&is_starting))
		fprintf(stderr, "pgofs: %s\n", text);
	else
		pgofs_log(level <= FUSE_LOG_ERR ? PGOFS_LOG_ERROR : PGOFS_LOG_DEBUG, "libfuse", "says", text);
}

/* ---- Ready ---- */

static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int k = 0; fd >= 0 && k < 3; k++)
		dup2(fd, k);
	if (fd > 2)
		close(fd);
}

static void on_ready(void *context)
{
	struct mount *m = context;
	struct pgofs_error err = { "" };
	atomic_store(&is_starting, false);
	pgofs_log(PGOFS_LOG_INFO, "mounted", "source", m->options.source, "mountpoint", m->options.mountpoint);
	if (pgofs_notify("READY=1\nSTATUS=mounted", &err) < 0)
		pgofs_log(PGOFS_LOG_WARNING, "service manager not told", "why", err.text);
	if (m->options.ready_fd >= 0) {
		dprintf(m->options.ready_fd, "ready\n");
		close(m->options.ready_fd);
	}
	if (m->parent_fd >= 0) {
		leave_terminal();
		if (write(m->parent_fd, "", 1) < 0) { /* it was interrupted, or killed */
			pgofs_log(PGOFS_LOG_WARNING, "nobody waits for the mount any more, unmounting");
			kill(getpid(), SIGTERM);
		}
		close(STEAL_FD(m->parent_fd));
	}
}

/* In the parent: 0 once the child is ready, else the exit code of what went wrong; the child has said why. */
static int await_child(pid_t child, int fd, int64_t timeout_ns)
{
	int64_t until = pgofs_monotonic_ns() + timeout_ns;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;
	int n;
	do {
		int64_t left = (until - pgofs_monotonic_ns()) / PGOFS_NS_PER_MS;
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0 && read(fd, &byte, 1) == 1)
		return 0;
	int status = 0;
	if (n == 0) {
		fprintf(stderr, "pgofs mount: not ready in time, giving up\n");
		kill(child, SIGKILL);
		return 1;
	}
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "pgofs mount: the process died before it was ready\n");
	return 1;
}

/* ---- The keeper: a start that takes too long; then signals that ask for something, idleness, the watchdog ---- */

static void set_stage(struct mount *m, enum stage stage)
{
	atomic_store(&m->stage, stage);
	pthread_kill(m->keeper, SIGUSR2); /* which says: look at it */
}

/* The next of the signals, or 0 when this time is over; negative is for ever. */
static int await_signal(const sigset_t *set, int64_t ns)
{
	const struct timespec time = { ns / PGOFS_NS_PER_S, ns % PGOFS_NS_PER_S };
	int signal = ns < 0 ? sigwaitinfo(set, NULL) : sigtimedwait(set, NULL, &time);
	return signal < 0 ? 0 : signal;
}

/* A process that nobody waits for gives up by itself. */
static void keep_start(struct mount *m)
{
	int64_t until = pgofs_monotonic_ns() + m->options.ready_timeout_ns;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR2);
	while (atomic_load(&m->stage) == STARTING) {
		int64_t left = until - pgofs_monotonic_ns();
		int signal = await_signal(&set, m->options.foreground ? left > 0 ? left : 0 : -1);
		bool late = m->options.foreground && pgofs_monotonic_ns() >= until;
		if (signal != SIGTERM && signal != SIGINT && !late)
			continue;
		fprintf(stderr, "pgofs mount: %s\n", signal ? "interrupted" : "not ready in time, giving up");
		_exit(1);
	}
}

static sigset_t keeper_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	return set;
}

struct idleness {
	uint64_t n_requests;
	int64_t since_ns;
};

static bool is_idle(struct mount *m, struct idleness *i)
{
	int64_t now = pgofs_monotonic_ns();
	uint64_t n = pgofs_fuse_n_requests(m->fuse);
	if (n != i->n_requests || pgofs_fuse_n_handles(m->fuse) || !i->since_ns)
		*i = (struct idleness){ n, now };
	return m->options.idle_timeout_ns && now - i->since_ns >= m->options.idle_timeout_ns;
}

static void on_signal(struct mount *m, int signal)
{
	if (signal == SIGHUP)
		pgofs_tree_refresh(m->tree);
	if (signal == SIGUSR1)
		pgofs_fuse_log_stats(m->fuse);
}

static void *keep(void *context)
{
	struct mount *m = context;
	struct idleness idleness = { 0 };
	int64_t watchdog_ns = pgofs_notify_watchdog_ns(), fed_ns = 0;
	int64_t tick_ns = watchdog_ns && watchdog_ns < PGOFS_NS_PER_S ? watchdog_ns : PGOFS_NS_PER_S;
	bool ticks = watchdog_ns || m->options.idle_timeout_ns;
	sigset_t set = keeper_signals();
	keep_start(m);
	while (atomic_load(&m->stage) == SERVING) {
		on_signal(m, await_signal(&set, ticks ? tick_ns : -1));
		if (watchdog_ns && pgofs_monotonic_ns() - fed_ns >= watchdog_ns) {
			pgofs_notify("WATCHDOG=1", NULL);
			fed_ns = pgofs_monotonic_ns();
		}
		if (is_idle(m, &idleness)) {
			pgofs_log(PGOFS_LOG_INFO, "unused, unmounting");
			kill(getpid(), SIGTERM);
			idleness.since_ns = 0;
		}
	}
	return NULL;
}

/* ---- Serving ---- */

/* How long the kernel may believe a name: a part of `refresh`; we believe a listing for the rest. */
static int64_t kernel_ns(const struct pgofs_mount_options *o)
{
	return o->tree.refresh_ns / 5;
}

static int open_tree(struct mount *m, struct pgofs_error *err)
{
	const struct pgofs_mount_options *o = &m->options;
	struct pgofs_backend *backend = NULL;
	int r = pgofs_backend_open(o->source, (const char *const *)o->storage.items, &backend, err);
	m->is_misused = r == -EINVAL;
	if (r == 0)
		r = pgofs_backend_probe(backend, err);
	if (r < 0) {
		pgofs_backend_free(backend);
		return r;
	}
	struct pgofs_tree_config config = PGOFS_TREE_CONFIG_DEFAULTS;
	pgofs_tree_options_apply(&o->tree, &config);
	config.reads_again = true;
	config.merge_ns = o->merge_timeout_ns;
	config.refresh_ns -= kernel_ns(o);
	return pgofs_tree_new(backend, &config, &m->tree, err);
}

static int open_fuse(struct mount *m, struct pgofs_error *err)
{
	const struct pgofs_mount_options *o = &m->options;
	struct pgofs_fuse_config config = {
		.uid = o->uid,
		.gid = o->gid,
		.file_mode = o->file_mode,
		.dir_mode = o->dir_mode,
		.name_ns = kernel_ns(o),
		.mounted_ns = pgofs_now_ns(),
		.stats = o->stats,
		.memory_bytes = o->tree.memory_bytes,
		.spool = { .file_bytes_max = o->tree.stored_max_bytes,
			   .total_bytes_max = o->spool_bytes,
			   .n_files_max = 65536 },
		.ready = on_ready,
		.context = m,
	};
	m->fuse = pgofs_fuse_new(m->tree, &config);
	return m->fuse ? 0 : pgofs_error_errno(err, -ENOMEM, "start");
}

static int add_mount_options(const struct pgofs_mount_options *o, struct fuse_args *args)
{
	_cleanup_(pgofs_freep) char *name = NULL, *words = NULL;
	if (asprintf(&name, "fsname=%s", o->fsname ? o->fsname : o->source) < 0)
		return -ENOMEM;
	int r = fuse_opt_add_opt(&words, "subtype=pgofs,default_permissions");
	if (r == 0)
		r = fuse_opt_add_opt_escaped(&words, name);
	if (r == 0 && o->tree.read_only)
		r = fuse_opt_add_opt(&words, "ro");
	if (r == 0 && o->noexec)
		r = fuse_opt_add_opt(&words, "noexec");
	if (r == 0 && o->allow_other)
		r = fuse_opt_add_opt(&words, "allow_other");
	if (r == 0 && o->allow_root)
		r = fuse_opt_add_opt(&words, "allow_root");
	if (r == 0 && o->auto_unmount)
		r = fuse_opt_add_opt(&words, "auto_unmount");
	if (r == 0)
		r = fuse_opt_add_arg(args, "pgofs");
	if (r == 0)
		r = fuse_opt_add_arg(args, "-o");
	if (r == 0)
		r = fuse_opt_add_arg(args, words);
	return r == 0 ? 0 : -ENOMEM;
}

static int check_device(struct pgofs_error *err)
{
	_cleanup_(pgofs_closep) int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	return pgofs_error_set(err, -errno,
			       "/dev/fuse: %s (in a container: --device /dev/fuse --cap-add SYS_ADMIN). "
			       "Without it, pgofs cat SOURCE PATH reads the same files",
			       strerror(errno));
}

static int mount_it(struct mount *m, struct pgofs_error *err)
{
	const struct pgofs_mount_options *o = &m->options;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r = add_mount_options(o, &args);
	if (r == 0)
		m->session = fuse_session_new(&args, pgofs_fuse_ops(), sizeof *pgofs_fuse_ops(), m->fuse);
	fuse_opt_free_args(&args);
	if (!m->session)
		return pgofs_error_set(err, -EINVAL, "libfuse did not start");
	if (fuse_session_mount(m->session, o->mountpoint) == 0) {
		r = pgofs_let_lookups_be_parallel(m->session);
		return r < 0 ? pgofs_error_errno(err, r, "start") : 0;
	}
	fuse_session_destroy(STEAL(m->session));
	return pgofs_error_set(err, -EPERM,
			       "the kernel refused (in a container: --cap-add SYS_ADMIN). "
			       "Without a mount, pgofs cat SOURCE PATH reads the same files");
}

/* For the handler. */
static struct mount *serving;

static void on_end(int signal)
{
	pgofs_tree_end(serving->tree);
	fuse_session_exit(serving->session);
}

/* Not to be restarted: main waits for it in libfuse's loop. */
static void handle_ends(struct mount *m)
{
	const struct sigaction ending = { .sa_handler = on_end };
	serving = m;
	sigaction(SIGTERM, &ending, NULL);
	sigaction(SIGINT, &ending, NULL);
}

static int run_loop(struct mount *m, struct pgofs_error *err)
{
	sigset_t ends;
	struct fuse_loop_config *loop = fuse_loop_cfg_create();
	if (!loop)
		return pgofs_error_errno(err, -ENOMEM, "start");
	fuse_loop_cfg_set_max_threads(loop, (unsigned)m->options.n_threads);
	fuse_loop_cfg_set_idle_threads(loop, IDLE_THREADS_MAX);
	handle_ends(m);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
	int r = fuse_session_loop_mt(m->session, loop);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	fuse_loop_cfg_destroy(loop);
	return r >= 0 ? 0 : pgofs_error_errno(err, r, "serve");
}

static void finish(struct mount *m)
{
	if (m->session) {
		pgofs_notify("STOPPING=1", NULL);
		pgofs_fuse_log_stats(m->fuse);
		fuse_session_unmount(m->session);
		fuse_session_destroy(m->session);
		pgofs_log(PGOFS_LOG_INFO, "unmounted", "mountpoint", m->options.mountpoint);
	}
	pgofs_fuse_free(m->fuse);
	pgofs_tree_free(m->tree);
}

static int prepare_mountpoint(struct mount *m, struct pgofs_error *err)
{
	const struct pgofs_mount_options *o = &m->options;
	if (pgofs_mountpoint_is_fd(o->mountpoint))
		return 0;
	int r = pgofs_mountpoint_recover(o->mountpoint, err);
	if (r == 0)
		r = pgofs_mountpoint_check(o->mountpoint, o->source, err);
	return r == 0 ? check_device(err) : r;
}

static int start(struct mount *m, struct pgofs_error *err)
{
	int r = prepare_mountpoint(m, err);
	if (r == 0)
		r = open_tree(m, err);
	return r == 0 ? open_fuse(m, err) : r;
}

/* In the process that stays. Returns once unmounted. */
static int serve(struct mount *m, struct pgofs_error *err)
{
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	if (pthread_create(&m->keeper, NULL, keep, m) != 0)
		return pgofs_error_errno(err, -ENOMEM, "start");

	int r = start(m, err);
	if (r == 0)
		set_stage(m, SERVING);
	if (r == 0)
		r = mount_it(m, err);
	if (r == 0 && chdir("/") < 0)
		r = pgofs_error_errno(err, -errno, "/");
	if (r == 0)
		r = run_loop(m, err);
	set_stage(m, ENDED);
	pthread_join(m->keeper, NULL);
	finish(m);
	return r;
}

/* 0 in the process that stays, with m->parent_fd set; the child's id in the one that waits. */
static pid_t fork_away(struct mount *m, int *ret_wait_fd)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid_t child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return -errno;
	}
	close(fds[child == 0 ? 0 : 1]);
	if (child == 0) {
		setsid();
		m->parent_fd = fds[1];
	} else {
		*ret_wait_fd = fds[0];
	}
	return child;
}

static void help(void)
{
	printf("Usage: pgofs mount [OPTIONS] SOURCE MOUNTPOINT\n\n"
	       "Mounts the profiles in SOURCE, a directory or s3://BUCKET[/PREFIX]. Returns once they can be read.\n\n"
	       "Options:\n");
	pgofs_options_help(pgofs_mount_option_table, stdout);
	pgofs_storage_help(stdout);
	printf("\nSIGTERM unmounts, SIGHUP forgets what was listed, SIGUSR1 logs statistics.\n");
}

static int run(struct mount *m, struct pgofs_error *err)
{
	const struct pgofs_mount_options *o = &m->options;
	char *mountpoint = NULL;
	int r = pgofs_mountpoint_resolve(o->mountpoint, &mountpoint, err);
	if (r < 0)
		return r;
	free(o->mountpoint);
	m->options.mountpoint = mountpoint;

	if (!o->foreground) {
		_cleanup_(pgofs_closep) int wait_fd = -1;
		pid_t child = fork_away(m, &wait_fd);
		if (child < 0)
			return pgofs_error_errno(err, child, "fork");
		if (child > 0)
			exit(await_child(child, wait_fd, o->ready_timeout_ns));
	}
	pgofs_log_setup(&(struct pgofs_log_config){
	    .program = "pgofs",
	    .level = o->debug || o->verbose ? PGOFS_LOG_DEBUG : PGOFS_LOG_INFO,
	    .format = o->log_format,
	    .syslog = !o->foreground,
	});
	atomic_store(&is_starting, true);
	fuse_set_log_func(log_libfuse);
	r = serve(m, err);
	return r < 0 ? pgofs_error_wrap(err, r, "%s", o->mountpoint) : 0;
}

int pgofs_cmd_mount(int argc, char **argv)
{
	struct mount m = { .parent_fd = -1 };
	struct pgofs_error err = { "" };
	int code = PGOFS_EXIT_DONE, r = pgofs_mount_options_parse(&m.options, argc, argv, &err);
	if (r == -EINVAL)
		code = pgofs_command_misused("mount", "%s", err.text);
	else if (r < 0)
		code = pgofs_command_failed("mount", &err);
	else if (m.options.help)
		help();
	else if (run(&m, &err) < 0)
		code =
		    m.is_misused ? pgofs_command_misused("mount", "%s", err.text) : pgofs_command_failed("mount", &err);
	pgofs_mount_options_done(&m.options);
	return code;
}
