#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../src/sandbox.c"

static char dir[] = "/tmp/t_sandbox.XXXXXX";
static char state[64], outside[64], url[64];
static int allowed, other;		/* ports that somebody listens on */

static struct config_provider provider = { .url = url };
static struct config cfg = { .state = state, .ca_path = "", .proxy = "",
    .providers = &provider, .nproviders = 1 };

static int
listener(int *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (void *)&sa, n), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (void *)&sa, &n), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

/* What is asked of a process in the sandbox: errno, or 0 when it works. */
static int
opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int
connects(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), e;

	e = connect(fd, (void *)&sa, sizeof(sa)) == 0 ? 0 : errno;
	close(fd);
	return e;
}

static int
binds(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), e;

	e = bind(fd, (void *)&sa, sizeof(sa)) == 0 ? 0 : errno;
	close(fd);
	return e;
}

static int
executes(const char *path)
{
	char *argv[] = { (char *)(uintptr_t)path, NULL };

	execv(path, argv);
	return errno;
}

static int
renames(void)
{
	char to[80];

	snprintf(to, sizeof(to), "%s.bad-1", state);
	return rename(state, to) == 0 && unlink(to) == 0 ? 0 : errno;
}

static int
makes_memory(void)
{
	int fd = memfd_create("request", MFD_CLOEXEC), e = 0;

	if (fd < 0 || write(fd, "x", 1) != 1)
		e = errno;
	close(fd);
	return e;
}

/* Run body(s) in a process of its own in the sandbox; what it returns. */
static int
inside(int (*body)(const struct sandbox *s))
{
	struct sandbox s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		sandbox_enter(&s, &cfg);
		_exit(body(&s));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The version that the kernel has, found without the code under test. */
static int
version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION);

	return v < 0 ? 0 : (int)v;
}

#define ASK(call, want)							\
	do {								\
		int e_ = (call);					\
		if (e_ != (want)) {					\
			dprintf(2, "%s: %s, not %s\n", #call,		\
			    strerror(e_), strerror(want));		\
			return 1;					\
		}							\
	} while (0)

static int
files_in_it(const struct sandbox *s)
{
	int shut = s->why == NULL ? EACCES : 0;

	ASK(opens("/etc", O_RDONLY | O_DIRECTORY), shut);
	ASK(opens("/etc/passwd", O_RDONLY), shut);
	ASK(opens(outside, O_RDWR | O_CREAT), shut);
	ASK(opens(outside, O_RDONLY), shut);
	if (shut != 0) {		/* else it depends on who we are */
		ASK(opens("/etc/shadow", O_RDONLY), EACCES);
		ASK(opens("/proc/1/environ", O_RDONLY), EACCES);
		ASK(opens("/usr/t_sandbox", O_RDWR | O_CREAT), EACCES);
	}
	ASK(opens("/usr/bin/env", O_RDONLY), 0);
	ASK(opens("/etc/resolv.conf", O_RDONLY), 0);
	ASK(opens("/etc/hosts", O_RDONLY), 0);
	ASK(opens("/etc/ssl/certs", O_RDONLY | O_DIRECTORY), 0);
	ASK(opens("/dev/null", O_RDWR), 0);
	ASK(opens("/proc/sys/kernel/random/boot_id", O_RDONLY), 0);
	return 0;
}

static int
state_in_it(const struct sandbox *s)
{
	(void)s;
	ASK(opens(state, O_RDWR | O_CREAT), 0);
	ASK(opens(state, O_RDWR | O_TRUNC), 0);
	ASK(opens(dir, O_RDONLY | O_DIRECTORY), 0);
	ASK(renames(), 0);
	ASK(opens(state, O_RDWR | O_CREAT), 0);
	ASK(makes_memory(), 0);
	return 0;
}

static int
programs_in_it(const struct sandbox *s)
{
	if (s->why == NULL)
		ASK(executes("/bin/true"), EACCES);
	return 0;
}

static int
ports_in_it(const struct sandbox *s)
{
	bool shut = s->why == NULL && s->abi >= 4;

	ASK(connects(allowed), 0);
	ASK(connects(other), shut ? EACCES : 0);
	if (shut)
		ASK(connects(22), EACCES);
	ASK(connects(53) == EACCES ? EACCES : 0, 0);
	ASK(binds(), shut ? EACCES : 0);
	return 0;
}

static int
names_in_it(const struct sandbox *s)
{
	struct addrinfo *ai = NULL;

	(void)s;
	ASK(getaddrinfo("localhost", "80", NULL, &ai), 0);
	freeaddrinfo(ai);
	return 0;
}

static void
only_what_is_needed_opens(void **unused)
{
	(void)unused;
	assert_int_equal(inside(files_in_it), 0);
}

static void
the_state_can_be_made_and_set_aside(void **unused)
{
	(void)unused;
	assert_int_equal(inside(state_in_it), 0);
}

static void
nothing_is_started(void **unused)
{
	(void)unused;
	assert_int_equal(inside(programs_in_it), 0);
}

static void
only_ports_of_the_configuration(void **unused)
{
	(void)unused;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", allowed);
	assert_int_equal(inside(ports_in_it), 0);
	/* The same by way of a proxy, and not by a provider that is off. */
	provider.off = "no key";
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", other);
	cfg.proxy = malloc(80);
	snprintf(cfg.proxy, 80, "http://u:p@127.0.0.1:%d", allowed);
	assert_int_equal(inside(ports_in_it), 0);
	free(cfg.proxy);
	cfg.proxy = "";
	provider.off = NULL;
}

static void
names_are_still_found(void **unused)
{
	(void)unused;
	assert_int_equal(inside(names_in_it), 0);
}

/* A relative state, and one in a folder that is gone. */
static int
relative_in_it(const struct sandbox *s)
{
	(void)s;
	ASK(opens("state", O_RDWR | O_CREAT), 0);
	return unlink("state") == 0 ? 0 : 1;
}

static void
a_folder_that_is_not_named(void **unused)
{
	char was[4096];

	(void)unused;
	assert_non_null(getcwd(was, sizeof(was)));
	assert_int_equal(chdir(dir), 0);
	cfg.state = "state";
	assert_int_equal(inside(relative_in_it), 0);
	cfg.state = "/nowhere/at/all/state";
	assert_int_equal(inside(files_in_it), 0);
	cfg.state = state;
	assert_int_equal(chdir(was), 0);
}

/* The folder is another one now: as when a resolv.conf is replaced. */
static int
replaced_in_it(const struct sandbox *s)
{
	char old[80];
	pid_t pid = getppid();

	snprintf(old, sizeof(old), "%s.old", dir);
	if (sandbox_outgrown(s))
		return 1;
	(void)kill(pid, SIGUSR1);	/* it may move folders, we may not */
	for (int i = 0; i < 1000 && access(old, F_OK) != 0; i++)
		(void)usleep(10000);
	for (int i = 0; i < 1000 && access(dir, F_OK) != 0; i++)
		(void)usleep(10000);
	return sandbox_outgrown(s) == (s->why == NULL) ? 0 : 2;
}

static void
move_folder(int sig)
{
	char old[80];

	(void)sig;
	snprintf(old, sizeof(old), "%s.old", dir);
	(void)(rename(dir, old) == 0 && mkdir(dir, 0700) == 0);
}

static void
a_replaced_file_is_noticed(void **unused)
{
	char old[80];

	(void)unused;
	snprintf(old, sizeof(old), "%s.old", dir);
	(void)signal(SIGUSR1, move_folder);
	assert_int_equal(inside(replaced_in_it), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(rename(old, dir), 0);
}

/* Said in words, so that a run on a kernel without it does not look like a
 * proof. */
static int
says_what_it_is(const struct sandbox *s)
{
	if (version() == 0)
		return s->why != NULL && s->abi == 0 ? 0 : 1;
	return s->why == NULL && s->abi == version() ? 0 : 1;
}

static void
it_says_whether_it_is_on(void **unused)
{
	(void)unused;
	assert_int_equal(inside(says_what_it_is), 0);
	if (version() == 0)
		print_message("this kernel has no Landlock: here it is only "
		    "shown that everything goes on without\n");
	else if (version() < 4)
		print_message("this kernel's Landlock restricts no "
		    "connections\n");
}

/* Without no_new_privs, and without the right to do without. */
static int
refused_in_it(void)
{
	struct sandbox s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(3);
		sandbox_enter(&s, &cfg);
		_exit(s.why != NULL && !sandbox_outgrown(&s) &&
		    opens("/etc/passwd", O_RDONLY) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
a_refusal_leaves_all_as_it_was(void **unused)
{
	(void)unused;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0)
		assert_int_equal(refused_in_it(), 0);
	else
		print_message("no_new_privs is inherited: no refusal here\n");
}

/* As systemd's SystemCallFilter=@system-service does. */
static int
filtered_in_it(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };
	struct sandbox s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
			_exit(3);
		sandbox_enter(&s, &cfg);
		_exit(s.why != NULL && strstr(s.why, "filter") != NULL &&
		    s.abi == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
it_tells_a_filter_from_an_old_kernel(void **unused)
{
	(void)unused;
	assert_int_equal(filtered_in_it(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_whether_it_is_on),
		cmocka_unit_test(it_tells_a_filter_from_an_old_kernel),
		cmocka_unit_test(only_what_is_needed_opens),
		cmocka_unit_test(the_state_can_be_made_and_set_aside),
		cmocka_unit_test(nothing_is_started),
		cmocka_unit_test(only_ports_of_the_configuration),
		cmocka_unit_test(names_are_still_found),
		cmocka_unit_test(a_folder_that_is_not_named),
		cmocka_unit_test(a_replaced_file_is_noticed),
		cmocka_unit_test(a_refusal_leaves_all_as_it_was),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(outside, sizeof(outside), "%s.outside", dir);
	(void)listener(&allowed);
	(void)listener(&other);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", allowed);
	close(open(outside, O_RDWR | O_CREAT, 0600));
	rc = cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
	(void)unlink(state);
	(void)unlink(outside);
	(void)rmdir(dir);
	return rc;
}
