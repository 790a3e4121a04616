#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "env.h"
#include "log.h"
#include "notify.h"
#include "segment.h"
#include "text.h"
#include "upgrade.h"
#include "worker.h"

#define BACKLOG		4096	/* on a full unix backlog nginx answers 502 */
#define MOST		UPGRADE_MOST	/* workers, old generations too */
#define PAUSE_MS	100	/* before a worker that died at once is made
				 * again; doubles */
#define PAUSE_MOST	5000
#define SHORT_LIFE	1000	/* ms */
#define GRACE_MS	2000	/* beyond drain-time, then SIGKILL */

struct child {
	pid_t	pid;
	int64_t	born;
	int	generation;
};

struct supervisor {
	int		 fd;
	const char	*file;
	const char	*path;		/* of our own socket, or NULL */
	pid_t		 web;		/* lighttpd, if it started us */
	struct upgrade	 binary;
	struct config	*cfg;
	int		 generation;
	struct child	 child[MOST];
	size_t		 n;
	int64_t		 pause;		/* ms */
	int64_t		 not_before;	/* no new worker until then */
	bool		 stopping;
	int64_t		 kill_at;
};

static int64_t
now_ms(void)
{
	struct text_time t;

	text_clock(&t);
	return t.mono;
}

int
supervise_inherited(void)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int on = 0;
	socklen_t n = sizeof(on);
	uint64_t count, whose;

	if (fds != NULL && pid != NULL &&
	    text_uint(fds, strlen(fds), INT_MAX, &count) == 0 && count >= 1 &&
	    text_uint(pid, strlen(pid), INT_MAX, &whose) == 0 &&
	    whose == (uint64_t)getpid()) {
		unsetenv("LISTEN_FDS");
		unsetenv("LISTEN_PID");
		return 3;
	}
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 &&
	    on != 0)
		return STDIN_FILENO;
	return -1;
}

/* What supervise() waits for. */
static void
signals_of(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
}

int
supervise_signals(void)
{
	sigset_t set;

	signals_of(&set);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Let path be bound: what may stand there is a socket of ours that nobody
 * listens on any more. NULL, or why not. */
static const char *
clear_stale(const char *path, const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? NULL : strerror(errno);
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return "it is there and is no socket of yours: remove it or "
		    "name another path";
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return strerror(errno);
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	close(fd);
	if (rc == 0)
		return "another process already listens on it";
	return unlink(path) == 0 ? NULL : strerror(errno);
}

int
supervise_socket(const char *path, mode_t mode)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *why = "the path is longer than a socket's can be";
	mode_t old;
	int fd = -1;

	if (strlen(path) < sizeof(sa.sun_path)) {
		strcpy(sa.sun_path, path);
		why = clear_stale(path, &sa);
	}
	if (why == NULL) {
		old = umask(0777 & ~mode);
		fd = socket(AF_UNIX,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&sa,
		    sizeof(sa)) != 0 || listen(fd, BACKLOG) != 0)
			why = strerror(errno);
		umask(old);
	}
	if (why == NULL)
		return fd;
	fprintf(stderr, "relevo: %s: %s\n", path, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- workers ---- */

static void
pause_spawning(struct supervisor *s)
{
	s->pause = s->pause == 0 ? PAUSE_MS : s->pause * 2;
	if (s->pause > PAUSE_MOST)
		s->pause = PAUSE_MOST;
	s->not_before = now_ms() + s->pause;
}

/* The flag is of the open socket, which others have, too: systemd clears it for
 * each command of ExecReload= when the service has StandardInput=socket
 * (NonBlocking= of systemd.service(5)). So it is set for each new worker, and
 * until then accept(2) gives up by itself, as if nobody were there. */
static int
never_wait(int fd)
{
	struct timeval t = { 0, 1000 };
	int flags = fcntl(fd, F_GETFL);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int
spawn(struct supervisor *s)
{
	pid_t parent = getpid(), pid;

	(void)never_wait(s->fd);
	if (s->n == MOST) {
		pause_spawning(s);
		return -1;
	}
	pid = fork();
	if (pid < 0) {
		log_msg(LOG_ERROR, "fork", "no new worker: %s",
		    strerror(errno));
		pause_spawning(s);
		return -1;
	}
	if (pid == 0) {
		/* A supervisor that is killed takes its workers along: else
		 * they would compete with those of its successor. Not under
		 * lighttpd: it asks the socket whether anybody listens before
		 * it starts a successor, finds the worker that just goes, and
		 * never starts one. So there the worker goes on. */
		if (s->web == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (getppid() != parent)
				_exit(0);
		}
		exit(worker_fcgi(s->cfg, s->fd, s->web));
	}
	s->child[s->n++] = (struct child){ pid, now_ms(), s->generation };
	/* From here on we only wait: 1.6 of 2.9 MB are not needed for it. */
	segment_drop();
	return 0;
}

static size_t
count(const struct supervisor *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->child[i].generation == s->generation;
	return n;
}

static void
tell(const struct supervisor *s, int sig, bool old_only)
{
	for (size_t i = 0; i < s->n; i++)
		if (!old_only || s->child[i].generation != s->generation)
			(void)kill(s->child[i].pid, sig);
}

static void
on_death(struct supervisor *s, pid_t pid, int status)
{
	size_t i = 0;
	int64_t now = now_ms();

	while (i < s->n && s->child[i].pid != pid)
		i++;
	if (i == s->n)
		return;
	if (WIFSIGNALED(status))
		log_msg(LOG_ERROR, "worker_died", "worker %d was killed by "
		    "signal %d (%s)", (int)pid, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_msg(LOG_ERROR, "worker_died", "worker %d ended with "
		    "status %d", (int)pid, WEXITSTATUS(status));
	if (now - s->child[i].born < SHORT_LIFE && !s->stopping &&
	    s->child[i].generation == s->generation)
		pause_spawning(s);
	else
		s->pause = 0;
	s->child[i] = s->child[--s->n];
}

/* Start workers with cfg. 0, or -1: none could be started, all is as before. */
static int
renew(struct supervisor *s, struct config *cfg)
{
	struct config *old = s->cfg;

	if (s->n + (size_t)cfg->workers > MOST) {
		log_msg(LOG_ERROR, "reload_refused", "%zu workers of earlier "
		    "reloads still finish their streams: later", s->n);
		return -1;
	}
	s->cfg = cfg;
	s->generation++;
	while (count(s) < (size_t)cfg->workers && spawn(s) == 0)
		;
	if (count(s) == 0) {
		s->generation--;
		s->cfg = old;
		return -1;
	}
	if (old != cfg)
		config_free(old);
	return 0;
}

static void
retire(struct supervisor *s, const char *event)
{
	log_msg(LOG_INFO, event, "%zu new workers, %zu old ones finish",
	    count(s), s->n - count(s));
	tell(s, SIGTERM, true);
}

/* The binary has been replaced. Refused, all stays as it is: the new
 * configuration, if there is one, may be meant for the new binary. */
static void
upgrade(struct supervisor *s)
{
	struct upgrade_estate e = { .fd = s->fd };
	struct buf said;

	buf_init(&said, 4096);
	if (s->n + (size_t)s->cfg->workers > MOST) {
		(void)buf_puts(&said, "workers of earlier reloads still finish "
		    "their streams: later");
	} else if (upgrade_check(&s->binary, s->file, &said) == 0) {
		for (; e.n < s->n; e.n++)
			e.child[e.n] = s->child[e.n].pid;
		upgrade_exec(&s->binary, s->file, s->path, &e);
		buf_clear(&said);
		(void)buf_puts(&said, strerror(errno));
	}
	log_msg(LOG_ERROR, "upgrade_refused", "%s is new, but the old one "
	    "stays: %s", s->binary.path, buf_str(&said));
	buf_release(&said);
}

static void
reload(struct supervisor *s)
{
	struct buf errors;
	struct config *cfg;

	buf_init(&errors, 64 * 1024);
	(void)env_restore();
	cfg = config_load(s->file, &errors, NULL);
	if (cfg == NULL) {
		log_msg(LOG_ERROR, "reload_refused", "the configuration has "
		    "errors, the old one stays: %s", buf_str(&errors));
	} else if (renew(s, cfg) != 0) {
		config_free(cfg);
	} else {
		retire(s, "reload");
	}
	buf_release(&errors);
}

static void
stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	notify("STOPPING=1");
	if (s->path != NULL) {
		(void)unlink(s->path);
		close(s->fd);
	}
	s->kill_at = now_ms() + s->cfg->drain_ms + GRACE_MS;
	tell(s, SIGTERM, false);
}

/* Wait for a signal, or for the time when something is due. */
static int
wait_signal(const struct supervisor *s, const sigset_t *set)
{
	int64_t due = s->stopping ? s->kill_at : s->not_before, ms;
	struct timespec ts;

	if (!s->stopping && count(s) >= (size_t)s->cfg->workers)
		return sigwaitinfo(set, NULL);
	ms = due - now_ms();
	if (ms < 0)
		ms = 0;
	ts.tv_sec = ms / 1000;
	ts.tv_nsec = ms % 1000 * 1000000;
	return sigtimedwait(set, NULL, &ts);
}

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_death(s, pid, status);
}

static void
run(struct supervisor *s, const sigset_t *set)
{
	while (!s->stopping || s->n > 0) {
		while (!s->stopping && count(s) < (size_t)s->cfg->workers &&
		    now_ms() >= s->not_before && spawn(s) == 0)
			;
		switch (wait_signal(s, set)) {
		case SIGHUP:
			if (s->stopping)
				break;
			notify_reloading();
			if (upgrade_due(&s->binary))
				upgrade(s);
			else
				reload(s);
			notify("READY=1");
			break;
		case SIGUSR2:
			/* From a worker that has outgrown its sandbox. Not a
			 * reload: what is on the disk by now may be half an
			 * edit, or a binary that waits for its HUP, and while
			 * it is refused no provider may be reached. */
			if (!s->stopping && renew(s, s->cfg) == 0)
				retire(s, "renewed");
			break;
		case SIGTERM:
		case SIGINT:
		case SIGUSR1:
			stop(s);
			break;
		default:
			break;
		}
		reap(s);
		if (s->stopping && now_ms() >= s->kill_at) {
			tell(s, SIGKILL, false);
			/* One that waits for a disk dies when that answers. */
			s->kill_at = now_ms() + GRACE_MS;
		}
	}
}

/* The workers of the binary before this one, as after a reload. */
static void
inherit(struct supervisor *s, const struct upgrade_estate *old)
{
	if (old->n == 0)
		return;
	while (s->n < old->n && s->n < MOST) {
		s->child[s->n] = (struct child){ old->child[s->n], now_ms(),
		    s->generation };
		s->n++;
	}
	s->generation++;
}

static void
succeed(struct supervisor *s)
{
	while (count(s) < (size_t)s->cfg->workers && spawn(s) == 0)
		;
	log_msg(LOG_INFO, "upgrade", "%s runs now: %zu new workers, %zu old "
	    "ones finish", s->binary.path, count(s), s->n - count(s));
	tell(s, SIGTERM, true);
}

int
supervise(int fd, struct config *cfg, const char *file, const char *path,
    const struct upgrade_estate *old)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	sigset_t set;

	if (s == NULL)
		return -1;
	s->fd = fd;
	s->cfg = cfg;
	s->file = file;
	s->path = path;
	upgrade_init(&s->binary);
	inherit(s, old);
	signals_of(&set);
	/* lighttpd's bin-path sets this in every child, PHP or not. */
	if (path == NULL && getenv("PHP_FCGI_CHILDREN") != NULL)
		s->web = getppid();
	if (supervise_signals() != 0 || never_wait(fd) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || spawn(s) != 0) {
		log_msg(LOG_ERROR, "supervise", "descriptor %d cannot be "
		    "served: %s", fd, strerror(errno));
		config_free(cfg);
		free(s);
		return -1;
	}
	if (old->fd >= 0)
		succeed(s);
	notify("READY=1");
	run(s, &set);
	config_free(s->cfg);
	free(s);
	return 0;
}
