#include "linger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "record.h"

#define LINGER_PRINT	(16 * 1024 * 1024)
#define LINGER_DIGEST	16			/* the least that BLAKE2b has */
#define LINGER_SHOWN	6			/* bytes of it in the name */
#define LINGER_BACKLOG	128

/* ---- the name ---- */

static void
add(crypto_generichash_state *h, const char *s)
{
	(void)crypto_generichash_update(h, (const unsigned char *)s,
	    strlen(s) + 1);
}

/* What config_print hides. */
static void
add_secrets(crypto_generichash_state *h, const struct config *c)
{
	add(h, c->proxy);
	for (size_t i = 0; i < c->nclients; i++)
		(void)crypto_generichash_update(h, c->clients[i].hash,
		    sizeof(c->clients[i].hash));
	for (size_t i = 0; i < c->nproviders; i++) {
		const struct config_provider *p = &c->providers[i];

		for (size_t k = 0; k < p->nkeys; k++)
			add(h, p->keys[k].secret);
		for (struct config_pair *v = p->headers; v != NULL &&
		    v->name != NULL; v++)
			add(h, v->value);
	}
}

/* The binary by what changes when it is replaced, as make(1) sees it. */
static int
add_binary(crypto_generichash_state *h)
{
	struct stat st;
	char text[128];

	if (stat("/proc/self/exe", &st) != 0)
		return -1;
	snprintf(text, sizeof(text), "%ju %ju %jd %jd %ld",
	    (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
	    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	add(h, text);
	return 0;
}

int
linger_name(const struct config *cfg, char out[LINGER_PATH])
{
	unsigned char digest[LINGER_DIGEST];
	char hex[2 * LINGER_SHOWN + 1];
	crypto_generichash_state h;
	struct buf print;
	int n, rc = -1;

	buf_init(&print, LINGER_PRINT);
	(void)crypto_generichash_init(&h, NULL, 0, sizeof(digest));
	if (config_print(cfg, &print) != 0 || add_binary(&h) != 0)
		goto out;
	add(&h, buf_str(&print));
	add_secrets(&h, cfg);
	(void)crypto_generichash_final(&h, digest, sizeof(digest));
	sodium_bin2hex(hex, sizeof(hex), digest, LINGER_SHOWN);
	n = snprintf(out, LINGER_PATH, "%s.cgi-%s", cfg->state, hex);
	rc = n < LINGER_PATH ? 0 : -1;
out:
	buf_release(&print);
	return rc;
}

/* ---- both ends ---- */

/* On Linux both ends can ask: of a listener it says who listened. */
static bool
own(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	    peer.uid == geteuid();
}

bool
linger_welcome(int fd)
{
	return own(fd) && send(fd, record_hello, RECORD_HELLO_LEN,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == RECORD_HELLO_LEN;
}

static void
address(struct sockaddr_un *sa, const char *path)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sa->sun_path, path, strlen(path) + 1);
}

/* -1 with errno: ECONNREFUSED when it is a socket that nobody listens on,
 * EAGAIN when too many wait, EPERM when it is somebody else's. */
static int
reach(const char *path)
{
	struct sockaddr_un sa;
	int fd, error;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	address(&sa, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		if (own(fd))
			return fd;
		errno = EPERM;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Lock the folder that path is in: no file stays behind for it. The descriptor,
 * or -1: somebody else has it, or it is on a file system without such locks. */
static int
lock_folder(const char *path)
{
	char dir[LINGER_PATH];
	const char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL)
		return -1;
	memcpy(dir, path, (size_t)(slash - path) + 1);
	dir[slash - path + 1] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Under the lock: whether path can be bound. */
static bool
vacant(const char *path)
{
	int fd = reach(path);

	if (fd >= 0) {
		close(fd);
		return false;
	}
	if (errno == ECONNREFUSED)
		return unlink(path) == 0;
	return errno == ENOENT;
}

int
linger_connect(const char *path)
{
	int fd = reach(path), lock;

	if (fd < 0 && errno == ECONNREFUSED &&
	    (lock = lock_folder(path)) >= 0) {
		(void)vacant(path);
		close(lock);
	}
	return fd;
}

/* ---- the process that stays ---- */

/* Its environment held a client's token, and may hold keys; it has read its
 * configuration. What is not for the process itself is overwritten where it
 * lies, since /proc shows the place and not the array. */
static void
scrub(void)
{
	static const char *const keep[] = { "PATH=", "HOME=", "TZ=", "LANG=",
	    "LC_", "TMPDIR=", "RELEVO_", "SSL_CERT_FILE=", "SSL_CERT_DIR=",
	    "RES_OPTIONS=", "LOCALDOMAIN=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
	    "LSAN_OPTIONS=" };
	char **to = environ;

	for (char **from = environ; *from != NULL; from++) {
		size_t i = 0, n = sizeof(keep) / sizeof(*keep);

		while (i < n && strncmp(*from, keep[i], strlen(keep[i])) != 0)
			i++;
		if (i < n)
			*to++ = *from;
		else
			explicit_bzero(*from, strlen(*from));
	}
	*to = NULL;
}

/* No descriptor of the web server stays open: it takes the end of a pipe for
 * the end of the answer, and mod_cgi waits for stderr's, too. A log that is a
 * file goes on. */
static int
detach(int fd)
{
	int null = open("/dev/null", O_RDWR);
	struct stat st;

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		return -1;
	if ((fstat(STDERR_FILENO, &st) != 0 || !S_ISREG(st.st_mode)) &&
	    dup2(null, STDERR_FILENO) < 0)
		return -1;
	if (fd != 3 && dup2(fd, 3) < 0)
		return -1;
	closefrom(4);
	return chdir("/");
}

static int
fork_twice(const struct config *cfg, int fd, const char *path,
    int (*serve)(const struct config *, int, const char *))
{
	pid_t pid = fork();
	int status = -1;

	if (pid < 0)
		return -1;
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return status == 0 ? 0 : -1;
	}
	/* Servers kill the group of a CGI that ended. */
	if (setsid() < 0 || (pid = fork()) < 0)
		_exit(1);
	if (pid > 0)
		_exit(0);
	scrub();
	(void)signal(SIGHUP, SIG_IGN);
	exit(detach(fd) == 0 ? serve(cfg, 3, path) : 1);
}

int
linger_start(const struct config *cfg, const char *path,
    int (*serve)(const struct config *, int, const char *))
{
	struct sockaddr_un sa;
	int lock, fd = -1, rc = -1;
	mode_t old;

	if (access(path, F_OK) == 0)
		return 0;
	lock = lock_folder(path);
	if (lock < 0 || !vacant(path))
		goto out;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	address(&sa, path);
	old = umask(0177);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		fd = -1;
	}
	(void)umask(old);
	if (fd < 0)
		goto out;
	if (listen(fd, LINGER_BACKLOG) == 0)
		rc = fork_twice(cfg, fd, path, serve);
	if (rc != 0)
		(void)unlink(path);
out:
	if (fd >= 0)
		close(fd);
	if (lock >= 0)
		close(lock);
	return rc;
}
