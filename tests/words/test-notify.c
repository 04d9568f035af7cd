#include <pgofs/cleanup.h>
#include <pgofs/notify.h>
#include <pgofs/units.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A manager's end: bound to `name`, where '@' means the abstract namespace. */
static int listen_as(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		     0);
	return fd;
}

static void expect_ready(const char *name)
{
	_cleanup_(pgofs_closep) int fd = listen_as(name);
	char got[64] = "";
	setenv("NOTIFY_SOCKET", name, 1);
	cr_assert_eq(pgofs_notify("READY=1", NULL), 0);
	cr_assert_eq(recv(fd, got, sizeof got - 1, 0), 7);
	cr_assert_str_eq(got, "READY=1");
}

Test(notify, is_silent_where_nobody_listens)
{
	unsetenv("NOTIFY_SOCKET");
	cr_assert_eq(pgofs_notify("READY=1", NULL), 0);
}

Test(notify, reaches_an_abstract_socket)
{
	char name[64];
	snprintf(name, sizeof name, "@pgofs-test-notify-%d", (int)getpid());
	expect_ready(name);
}

Test(notify, reaches_a_socket_in_a_directory)
{
	char dir[] = "/tmp/pgofs-test-notify-XXXXXX", name[64];
	cr_assert(mkdtemp(dir));
	snprintf(name, sizeof name, "%s/socket", dir);
	expect_ready(name);
	unlink(name);
	rmdir(dir);
}

Test(notify, says_what_is_wrong_with_a_socket)
{
	struct pgofs_error err;
	char longest[256];
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	cr_assert_eq(pgofs_notify("READY=1", &err), -EINVAL);
	cr_assert_str_eq(err.text, "NOTIFY_SOCKET=vsock:2:1234 is no socket's name");
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	cr_assert_eq(pgofs_notify("READY=1", &err), -ENOENT);
	memset(longest, '/', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	cr_assert_eq(pgofs_notify("READY=1", &err), -EINVAL);
}

Test(notify, halves_the_watchdog)
{
	char self[16];
	snprintf(self, sizeof self, "%d", (int)getpid());
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	cr_assert_eq(pgofs_notify_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_assert_eq(pgofs_notify_watchdog_ns(), 15 * PGOFS_NS_PER_S);
	setenv("WATCHDOG_PID", self, 1);
	cr_assert_eq(pgofs_notify_watchdog_ns(), 15 * PGOFS_NS_PER_S);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(pgofs_notify_watchdog_ns(), 0);
	unsetenv("WATCHDOG_PID");
	for (const char *const *bad = (const char *const[]){ "", "0", "-5", "x", "5x", "99999999999999999999", NULL };
	     *bad; bad++) {
		setenv("WATCHDOG_USEC", *bad, 1);
		cr_assert_eq(pgofs_notify_watchdog_ns(), 0, "%s", *bad);
	}
}
