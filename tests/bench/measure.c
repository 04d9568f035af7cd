/* Runs a command and says what it cost.
 *
 *	measure OUT COMMAND [ARGUMENT...]
 *
 * Writes one line to OUT: CPU seconds, wall seconds, peak KiB, instructions (0 where the kernel does not count them). Small
 * and started for each run, because the kernel counts the memory of the process that forks into the child's peak, and
 * a script's interpreter is larger than what is measured. The exit code is the command's. */
#include <pgofs/cleanup.h>
#include <pgofs/units.h>

#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Counts in user space, over all threads and children to come, from the child's exec on. -1 where that is not to be had. */
static int count_instructions(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int run(char **argv, struct rusage *ret_usage)
{
	int status = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, ret_usage) < 0)
		return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct rusage usage = { 0 };
	uint64_t instructions = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: measure OUT COMMAND [ARGUMENT...]\n");
		return 2;
	}
	_cleanup_(pgofs_closep) int counter = count_instructions();
	int64_t start = pgofs_monotonic_ns();
	int code = run(argv + 2, &usage);
	double wall = (double)(pgofs_monotonic_ns() - start) / 1e9;
	if (counter >= 0 && read(counter, &instructions, sizeof(instructions)) != sizeof(instructions))
		instructions = 0;
	_cleanup_(pgofs_fclosep) FILE *out = fopen(argv[1], "w");
	if (!out) {
		perror(argv[1]);
		return 127;
	}
	fprintf(out, "%.6f %.6f %ld %llu\n", seconds(usage.ru_utime) + seconds(usage.ru_stime), wall, usage.ru_maxrss,
		(unsigned long long)instructions);
	return code;
}
