#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "ledger.h"
#include "log.h"
#include "text.h"

void
doctor_tell(struct doctor *d, enum doctor_grade grade, const char *what,
    const char *mend, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "-", "warn", "FAIL" };
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_redact(line, strlen(line));
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	printf("%-5s %-22s %s\n", words[grade], what, line);
	if (mend != NULL)
		printf("%29s-> %s\n", "", mend);
	(void)fflush(stdout);
	d->failed += grade == DOCTOR_FAIL;
	d->warned += grade == DOCTOR_WARN;
}

/* ---- the state ---- */

/* The folder of path, "." without one; out holds 4096 bytes. */
static void
folder_of(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');
	int n = slash == NULL ? 0 : (int)(slash - path);

	if (n == 0)
		snprintf(out, 4096, "%s", slash == NULL ? "." : "/");
	else
		snprintf(out, 4096, "%.*s", n, path);
}

/* Whether there is a state that may be opened by who asks. It is not made here:
 * as somebody else that would shut out the service, whose file has to be its
 * own. */
static bool
state_ours(struct doctor *d)
{
	char dir[4096];
	struct stat st, file;
	bool none;

	folder_of(d->cfg->state, dir);
	if (stat(dir, &st) != 0) {
		doctor_tell(d, DOCTOR_FAIL, "state", "make the folder, owned "
		    "by the user that runs relevo, mode 0700", "%s: %s", dir,
		    strerror(errno));
		return false;
	}
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		doctor_tell(d, DOCTOR_WARN, "state", "chmod 0700",
		    "everyone may write to %s", dir);
	none = stat(d->cfg->state, &file) != 0;
	if (!none)
		st = file;
	if (st.st_uid != geteuid())
		doctor_tell(d, DOCTOR_SKIP, "state", "run `relevo doctor` as "
		    "that user, such as by `sudo -u`", "%s belongs to user %u,"
		    " you are %u: not opened", d->cfg->state,
		    (unsigned)st.st_uid, (unsigned)geteuid());
	else if (none && access(dir, W_OK | X_OK) != 0)
		doctor_tell(d, DOCTOR_FAIL, "state", "chmod 0700", "%s: %s",
		    dir, strerror(errno));
	else if (none)
		doctor_tell(d, DOCTOR_OK, "state", NULL, "%s: none yet; who "
		    "serves makes it", d->cfg->state);
	return !none && st.st_uid == geteuid();
}

static void
state(struct doctor *d)
{
	struct text_time now;
	struct ledger *l = NULL;
	struct buf why;

	buf_init(&why, 64 * 1024);
	if (!state_ours(d))
		goto out;
	text_clock(&now);
	l = ledger_open(d->cfg, &now);
	if (l == NULL)
		doctor_tell(d, DOCTOR_FAIL, "state", NULL, "out of memory");
	else if (ledger_health(l) != NULL)
		doctor_tell(d, DOCTOR_FAIL, "state", "mend what it says; until "
		    "then each process counts for itself", "%s",
		    ledger_health(l));
	else if (ledger_verify(l, &now, &why) != 0)
		doctor_tell(d, DOCTOR_FAIL, "state", "move the file away while "
		    "relevo is stopped; it makes a new one", "%s: %s",
		    d->cfg->state, buf_str(&why));
	else
		doctor_tell(d, DOCTOR_OK, "state", NULL, "%s is in use and "
		    "sound", d->cfg->state);
out:
	ledger_close(l);
	buf_release(&why);
}

/* ---- the socket ---- */

static void
socket_seen(struct doctor *d, const struct stat *st)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (!S_ISSOCK(st->st_mode)) {
		doctor_tell(d, DOCTOR_FAIL, "socket", NULL,
		    "%s is no socket", d->socket);
		return;
	}
	if (st->st_mode & S_IWOTH)
		doctor_tell(d, DOCTOR_WARN, "socket", "`serve --mode 0660` and "
		    "the web server's group", "everyone on this machine may "
		    "connect to %s", d->socket);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", d->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		/* systemd's socket is root's and the web server's, and closed
		 * to whom doctor is to be run as. */
		doctor_tell(d, errno == EACCES ? DOCTOR_SKIP : DOCTOR_FAIL,
		    "socket", errno == EACCES ?
		    "the web server's user must be in the socket's group" :
		    "start relevo: nothing listens there", "%s: %s", d->socket,
		    errno == EACCES ? "not for this user" : strerror(errno));
	else
		doctor_tell(d, DOCTOR_OK, "socket", NULL, "%s (mode %04o) is "
		    "listened on", d->socket, (unsigned)(st->st_mode & 07777));
	if (fd >= 0)
		close(fd);
}

static void
socket_look(struct doctor *d)
{
	struct stat st;

	if (d->socket == NULL)
		return;
	if (strlen(d->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		doctor_tell(d, DOCTOR_FAIL, "socket", "choose a shorter path",
		    "a socket's path has at most 107 bytes");
	else if (stat(d->socket, &st) != 0)
		doctor_tell(d, DOCTOR_FAIL, "socket", "start relevo, or name "
		    "the socket of the web server's configuration", "%s: %s",
		    d->socket, strerror(errno));
	else
		socket_seen(d, &st);
}

/* ---- all ---- */

static void
config_seen(struct doctor *d)
{
	const struct config *c = d->cfg;
	size_t on = 0;

	for (size_t i = 0; i < c->nproviders; i++)
		on += c->providers[i].off == NULL && !c->providers[i].demo;
	doctor_tell(d, on > 0 ? DOCTOR_OK : DOCTOR_FAIL, "config",
	    on > 0 ? NULL : "put a key into .env beside it, such as "
	    "GROQ_API_KEY=...", "%s: %zu provider%s on, %zu of %zu model%s "
	    "can be asked", c->file, on, on == 1 ? " is" : "s are",
	    config_models_on(c), c->nmodels, c->nmodels == 1 ? "" : "s");
	if (c->open)
		doctor_tell(d, DOCTOR_WARN, "access", "access = token and "
		    "`relevo client new NAME`, unless the web server asks for "
		    "a password itself", "whoever reaches it may use it "
		    "(access = open)");
	else
		doctor_tell(d, DOCTOR_OK, "access", NULL, "by token, of %zu "
		    "clients", c->nclients);
}

int
doctor(struct doctor *d)
{
	config_seen(d);
	state(d);
	socket_look(d);
	doctor_keys(d);
	if (d->url != NULL)
		doctor_url(d);
	printf("%d failed, %d to look at\n", d->failed, d->warned);
	return d->failed > 0;
}
