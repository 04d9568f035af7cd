/* sd_notify(3) without libsystemd.
 *
 * The protocol is one datagram to an AF_UNIX socket named in the environment, and is promised to stay that. libsystemd
 * would bring 900 KiB, and liblzma, libzstd, liblz4 and libgcrypt with it, into a program that wants 30 lines of it. Not spoken here:
 * passing descriptors, and AF_VSOCK (a virtual machine's manager speaking for the whole machine). */
#include <pgofs/cleanup.h>
#include <pgofs/notify.h>
#include <pgofs/units.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* "/run/…" is a path; "@…" a name in the abstract namespace, where a NUL stands for the '@'. */
static int parse_address(const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
	size_t len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof ret->sun_path)
		return -EINVAL;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, len);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

int pgofs_notify(const char *state, struct pgofs_error *err)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (!name || !name[0])
		return 0;

	struct sockaddr_un address;
	socklen_t len;
	int r = parse_address(name, &address, &len);
	if (r < 0)
		return pgofs_error_set(err, r, "NOTIFY_SOCKET=%s is no socket's name", name);

	_cleanup_(pgofs_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pgofs_error_errno(err, -errno, "notify: socket");
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len) < 0)
		return pgofs_error_errno(err, -errno, "notify %s", name);
	return 0;
}

static int64_t env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	return *end || errno ? -1 : n;
}

int64_t pgofs_notify_watchdog_ns(void)
{
	int64_t us = env_number("WATCHDOG_USEC");
	if (us <= 0 || us > INT64_MAX / PGOFS_NS_PER_US)
		return 0;
	if (getenv("WATCHDOG_PID") && env_number("WATCHDOG_PID") != getpid())
		return 0; /* meant for another process of the service */
	return us * PGOFS_NS_PER_US / 2;
}
