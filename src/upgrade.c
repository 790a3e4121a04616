#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "env.h"
#include "text.h"

#define VARIABLE	"RELEVO_UPGRADE"
#define CHECK_MS	20000
#define CHECK_LOOK	10		/* ms between looks whether it ended */
#define CHECK_SAID	2048		/* bytes that are kept ... */
#define CHECK_PART	1024		/* ... of parts of this size */

/* AT_EXECFN (getauxval(3)) is the path that was given to execve; /proc/self/exe
 * is where its links led, and "(deleted)" once it has been replaced. */
void
upgrade_init(struct upgrade *u)
{
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	char cwd[PATH_MAX];
	ssize_t n;

	memset(u, 0, sizeof(*u));
	if (name == NULL || strncmp(name, "/dev/fd/", 8) == 0) {
		n = readlink("/proc/self/exe", u->path, sizeof(u->path) - 1);
		u->path[n > 0 ? n : 0] = '\0';
	} else if (*name == '/') {
		n = snprintf(u->path, sizeof(u->path), "%s", name);
	} else {
		n = getcwd(cwd, sizeof(cwd)) == NULL ? -1 :
		    snprintf(u->path, sizeof(u->path), "%s/%s", cwd, name);
	}
	/* Not what stands there by now: two may come one behind the other. */
	if (n <= 0 || (size_t)n >= sizeof(u->path) ||
	    (stat("/proc/self/exe", &u->st) != 0 &&
	    stat(u->path, &u->st) != 0))
		u->path[0] = '\0';
}

bool
upgrade_due(const struct upgrade *u)
{
	struct stat st;

	return u->path[0] != '\0' && stat(u->path, &st) == 0 &&
	    (st.st_dev != u->st.st_dev || st.st_ino != u->st.st_ino ||
	    st.st_size != u->st.st_size ||
	    st.st_mtim.tv_sec != u->st.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != u->st.st_mtim.tv_nsec);
}

/* ---- the check ---- */

static _Noreturn void
run_check(const struct upgrade *u, const char *file, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
	    dup2(out, STDOUT_FILENO) == STDOUT_FILENO &&
	    dup2(out, STDERR_FILENO) == STDERR_FILENO &&
	    env_restore() == 0) {
		(void)execl(u->path, u->path, "--config", file, "check",
		    (char *)NULL);
		dprintf(STDERR_FILENO, "%s\n", strerror(errno));
	}
	_exit(127);
}

static int64_t
left(int64_t end)
{
	struct text_time now;

	text_clock(&now);
	return end - now.mono;
}

/* Its last words: errors come behind any number of warnings, and so does that
 * all is well. */
static void
keep_end(struct buf *said, const char *p, size_t n)
{
	size_t all = said->len + n;

	if (all > CHECK_SAID) {
		said->len -= all - CHECK_SAID;
		memmove(said->data, said->data + all - CHECK_SAID, said->len);
	}
	(void)buf_put(said, p, n);
}

/* What it says until it closes its output. */
static void
hear(int fd, int64_t end, struct buf *said)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char part[CHECK_PART];
	int64_t ms;
	ssize_t n;

	while ((ms = left(end)) > 0) {
		if (poll(&p, 1, (int)ms) <= 0)
			continue;
		n = read(fd, part, sizeof(part));
		if (n <= 0)
			return;
		keep_end(said, part, (size_t)n);
	}
}

/* Its status. Who has closed his output need not have ended. */
static int
await(pid_t pid, int64_t end)
{
	int status = 0;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0 && left(end) > 0)
		(void)poll(NULL, 0, CHECK_LOOK);
	if (got != 0)
		return status;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* The last words, for a binary that says nothing. */
static int
judge(int status, struct buf *said)
{
	if (WIFSIGNALED(status))
		(void)buf_printf(said, "killed by signal %d",
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		(void)buf_printf(said, "status %d", WEXITSTATUS(status));
	else if (strstr(buf_str(said), ": ok, ") == NULL)
		(void)buf_puts(said, "it does not answer as relevo does");
	else
		return 0;
	return -1;
}

static int
check(const struct upgrade *u, const char *file, int ms, struct buf *said)
{
	struct text_time now;
	int64_t end;
	pid_t pid;
	int p[2];

	text_clock(&now);
	end = now.mono + ms;
	if (pipe2(p, O_CLOEXEC) != 0) {
		(void)buf_puts(said, strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid == 0)
		run_check(u, file, p[1]);
	close(p[1]);
	if (pid > 0)
		hear(p[0], end, said);
	close(p[0]);
	if (pid > 0)
		return judge(await(pid, end), said);
	(void)buf_puts(said, strerror(errno));
	return -1;
}

int
upgrade_check(const struct upgrade *u, const char *file, struct buf *said)
{
	return check(u, file, CHECK_MS, said);
}

/* ---- the change ---- */

/* "PID FD CHILD CHILD ...": of this process only, for a variable also reaches
 * what is started by it. */
static void
write_estate(struct buf *out, const struct upgrade_estate *e)
{
	(void)buf_printf(out, "%d %d", (int)getpid(), e->fd);
	for (size_t i = 0; i < e->n; i++)
		(void)buf_printf(out, " %d", (int)e->child[i]);
}

void
upgrade_exec(const struct upgrade *u, const char *file, const char *socket,
    const struct upgrade_estate *e)
{
	const char *argv[] = { u->path, "--config", file,
	    socket != NULL ? "serve" : NULL, "--socket", socket, NULL };
	int flags = fcntl(e->fd, F_GETFD), error;
	struct buf left;

	buf_init(&left, 16 * 1024);
	write_estate(&left, e);
	if (!left.failed && flags >= 0 && env_restore() == 0 &&
	    setenv(VARIABLE, buf_str(&left), 1) == 0 &&
	    fcntl(e->fd, F_SETFD, 0) == 0)
		(void)execv(u->path, (char *const *)argv);
	error = errno;
	(void)unsetenv(VARIABLE);
	(void)fcntl(e->fd, F_SETFD, flags);
	buf_release(&left);
	errno = error;
}

void
upgrade_inherited(struct upgrade_estate *e)
{
	const char *v = getenv(VARIABLE);
	long n[2] = { 0, -1 }, pid;
	char *end;

	e->fd = -1;
	e->n = 0;
	for (int i = 0; v != NULL && *v != '\0' && i < 2; i++, v = end)
		n[i] = strtol(v, &end, 10);
	if (v == NULL || n[0] != getpid() || n[1] < 0 || n[1] > INT_MAX)
		goto out;
	e->fd = (int)n[1];
	for (; *v == ' ' && e->n < UPGRADE_MOST; v = end) {
		pid = strtol(v, &end, 10);
		if (pid <= 1 || pid > INT_MAX)
			break;
		e->child[e->n++] = (pid_t)pid;
	}
out:
	(void)unsetenv(VARIABLE);
}
