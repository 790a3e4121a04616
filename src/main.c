/* main: finds out how it was started, and starts that. */

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "cmd.h"
#include "config.h"
#include "supervise.h"
#include "upgrade.h"
#include "worker.h"

#define EXIT_CONFIG	78	/* sysexits.h: EX_CONFIG */

/* What is ignored stays so through execve(2), and with SIGCHLD no child can be
 * waited for: a worker that dies would be missed by nobody. */
static void
signals(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

/* Keys are in this process's memory: no core file, no look from outside, no
 * new rights. The sanitizers' leak check needs to look. */
static void
harden(void)
{
	struct rlimit none = { 0, 0 };
	struct rlimit files;

	(void)umask(077);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef __SANITIZE_ADDRESS__
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	/* Two descriptors for each stream. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* A closed descriptor 0, 1 or 2 would be given to the next file that is
 * opened, and answers and log lines be written into it: the state, say. What is
 * written to a closed 1 fails as it would have, so that a token is not lost in
 * silence. */
static void
standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR);
}

/* relevo/relevo.conf in a folder above dir, nearest first. On shared hosting
 * the program lies in the web site and its secrets must not; suexec drops
 * RELEVO_CONFIG and HOME from the environment, and getpwuid of a static binary
 * asks the host's own libraries. Only a file of the user who runs this counts,
 * for the folders above may be others' too. */
static bool
config_above(char dir[PATH_MAX])
{
	static const char name[] = "/relevo/relevo.conf";
	struct stat st;
	char *slash;

	while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
		strcpy(slash, name);
		if (stat(dir, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid == geteuid())
			return true;
		*slash = '\0';
	}
	return false;
}

/* RELEVO_CONFIG, else relevo.conf beside the binary, else one above it, else in
 * /etc. */
static const char *
config_path(char out[PATH_MAX])
{
	const char *env = getenv("RELEVO_CONFIG");
	char *slash;
	ssize_t n;

	if (env != NULL && *env != '\0')
		return env;
	n = readlink("/proc/self/exe", out, PATH_MAX -
	    sizeof("/relevo/relevo.conf"));
	if (n > 0) {
		out[n] = '\0';
		slash = strrchr(out, '/');
		strcpy(slash + 1, "relevo.conf");
		if (access(out, F_OK) == 0)
			return out;
		*slash = '\0';
		if (config_above(out))
			return out;
	}
	return "/etc/relevo/relevo.conf";
}

static bool
asked_by_cgi(void)
{
	return getenv("GATEWAY_INTERFACE") != NULL ||
	    getenv("REQUEST_METHOD") != NULL;
}

/* A CGI gets a query without "=" as its arguments (RFC 3875 4.4; Apache does
 * so): they are words of anybody, `?state+reset` among them. With any other
 * query they can only be a wrapper's, which may name the configuration. A query
 * that is not even empty (4.1.7) was lost on the way: suexec passes on no more
 * than 255 variables, and headers come first. */
static bool
arguments_foreign(void)
{
	const char *query = getenv("QUERY_STRING");

	return asked_by_cgi() && (query == NULL || (*query != '\0' &&
	    strchr(query, '=') == NULL));
}

/* Take --config FILE (or --config=FILE) out of argv, wherever it stands before
 * a "--". 0, or -1: the FILE is missing. */
static int
config_option(int *argc, char **argv, const char **file)
{
	const char *value;
	int n = 1;

	*file = NULL;
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			/* Before the command it has done its work. */
			for (i += n == 1; i < *argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (strncmp(argv[i], "--config=", 9) == 0)
			value = argv[i] + 9;
		else if (strcmp(argv[i], "--config") == 0)
			value = i + 1 < *argc ? argv[++i] : "";
		else {
			argv[n++] = argv[i];
			continue;
		}
		if (*value == '\0')
			return -1;
		*file = value;
	}
	argv[n] = NULL;
	*argc = n;
	return 0;
}

static int
serve(int fd, const char *file, const char *path,
    const struct upgrade_estate *old)
{
	struct config *cfg = cmd_config(file);

	if (cfg == NULL)
		return EXIT_CONFIG;
	return supervise(fd, cfg, file, path, old) == 0 ? 0 : 1;
}

static int
cgi(const char *file)
{
	struct config *cfg = cmd_config(file);
	int rc;

	if (cfg == NULL) {
		(void)puts("Status: 500 Internal Server Error\r\n"
		    "Content-Type: application/json\r\n\r\n"
		    "{\"error\":{\"message\":\"the configuration has errors; "
		    "the web server's error log names them, and so does "
		    "`relevo check`\",\"type\":\"server_error\",\"param\":"
		    "null,\"code\":\"internal_error\"}}");
		return 0;
	}
	rc = worker_cgi(cfg);
	config_free(cfg);
	return rc;
}

static int
serve_socket(const char *file, int argc, char **argv,
    const struct upgrade_estate *old)
{
	const char *path, *octal;
	unsigned long mode = 0660;
	char *end;
	int fd, rc;

	rc = cmd_serve(argc, argv, &path, &octal);
	if (rc >= 0)
		return rc;
	if (octal != NULL) {
		mode = strtoul(octal, &end, 8);
		if (*octal < '0' || *octal > '7' || *end != '\0' ||
		    mode > 0777) {
			fprintf(stderr, "relevo: --mode %s: an octal mode is "
			    "wanted, 0777 at most\n", octal);
			return 2;
		}
	}
	fd = old->fd >= 0 ? old->fd : supervise_signals() != 0 ? -1 :
	    supervise_socket(path, (mode_t)mode);
	if (fd < 0)
		return EXIT_CONFIG;
	rc = serve(fd, file, path, old);
	if (rc != 0)
		(void)unlink(path);
	return rc;
}

int
main(int argc, char **argv)
{
	char beside[PATH_MAX];
	struct upgrade_estate old;
	const char *file;
	int fd;

	if (argc > 1 && arguments_foreign())
		argv[argc = 1] = NULL;
	if (config_option(&argc, argv, &file) != 0) {
		fprintf(stderr, "relevo: --config wants a value: "
		    "--config FILE\n");
		return 2;
	}
	upgrade_inherited(&old);
	standard_files();
	signals();
	harden();
	if (sodium_init() < 0) {
		fprintf(stderr, "relevo: libsodium could not start\n");
		return 1;
	}
	if (file == NULL)
		file = config_path(beside);
	if (argc > 1 && strcmp(argv[1], "serve") == 0 && argc > 2)
		return serve_socket(file, argc, argv, &old);
	if (argc > 1 && strcmp(argv[1], "serve") != 0)
		return cmd_run(file, argc, argv);
	fd = old.fd >= 0 ? old.fd : supervise_inherited();
	if (fd >= 0)
		return serve(fd, file, NULL, &old);
	if (asked_by_cgi())
		return cgi(file);
	return cmd_run(file, argc, argv);
}
