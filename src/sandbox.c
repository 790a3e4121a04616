#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "url.h"

/* linux/landlock.h, of which the headers of old systems have nothing or half
 * (Documentation/userspace-api/landlock.rst of Linux 6.12). */
#define EXECUTE		(1ULL << 0)
#define WRITE_FILE	(1ULL << 1)
#define READ_FILE	(1ULL << 2)
#define READ_DIR	(1ULL << 3)
#define REMOVE_FILE	(1ULL << 5)
#define MAKE_REG	(1ULL << 8)
#define FIRST		((1ULL << 13) - 1)	/* all that version 1 knows */
#define TRUNCATE	(1ULL << 14)		/* version 3 */
#define IOCTL_DEV	(1ULL << 15)		/* version 5 */
#define OF_FILES	(EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE)
#define BIND_TCP	(1ULL << 0)		/* version 4 */
#define CONNECT_TCP	(1ULL << 1)

#define READ		(READ_FILE | READ_DIR)
#define WRITE		(READ | WRITE_FILE | REMOVE_FILE | MAKE_REG | TRUNCATE)

#define RULE_PATH	1
#define RULE_PORT	2
#define GET_VERSION	1

/* The same on every architecture that came before 2021. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset	444
#define SYS_landlock_add_rule		445
#define SYS_landlock_restrict_self	446
#endif

struct ruleset { uint64_t fs, net; };
struct path_rule { uint64_t access; int32_t fd; } __attribute__((packed));
struct port_rule { uint64_t access, port; };

/* Trees that are read: libraries that are loaded when they are needed (NSS
 * modules above all), certificates, what systemd, NetworkManager and others put
 * behind a resolv.conf that is a link. */
static const char *const trees[] = {
	"/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store",
	"/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust",
	"/etc/ca-certificates", "/var/lib/ca-certificates",
	"/etc/crypto-policies", "/run/systemd/resolve", "/run/resolvconf",
	"/run/NetworkManager", "/run/connman", NULL
};

/* Single files. The whole of /etc would be simpler, and would be everything
 * that root keeps there. */
static const char *const files[] = {
	"/etc/ld.so.cache", "/etc/host.conf", "/etc/gai.conf",
	"/etc/services", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem",
	"/dev/urandom", "/proc/sys/kernel/random/boot_id",
#ifdef __SANITIZE_ADDRESS__
	"/proc", "/proc/self/exe",	/* its leak check and its reports */
#endif
	NULL
};

/* Those of them that change while we run; others put a new file in the place
 * of the old one. */
static const char *const living[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", NULL
};

/* The folder of the state as a path; one that is too long for open(2) to take
 * is cut, and so refused by it. */
static const char *
folder_of(const struct sandbox *s, char dir[PATH_MAX + 1])
{
	snprintf(dir, PATH_MAX + 1, "%.*s", (int)s->folder_len, s->folder);
	return s->folder_len == 0 ? "." : dir;
}

static int
add_path(int set, const char *path, uint64_t access)
{
	struct path_rule r = { access, open(path, O_PATH | O_CLOEXEC) };
	struct stat st;
	int rc;

	if (r.fd < 0)
		return errno == ENOENT || errno == ENOTDIR ||
		    errno == EACCES ? 0 : -1;
	if (fstat(r.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		r.access &= OF_FILES;
	rc = (int)syscall(SYS_landlock_add_rule, set, RULE_PATH, &r, 0);
	close(r.fd);
	return rc;
}

static int
add_paths(int set, const char *const *paths)
{
	for (; *paths != NULL; paths++)
		if (add_path(set, *paths, READ) != 0)
			return -1;
	return 0;
}

static int
add_port(int set, int port)
{
	struct port_rule r = { CONNECT_TCP, (uint64_t)port };

	return (int)syscall(SYS_landlock_add_rule, set, RULE_PORT, &r, 0);
}

/* Landlock of this kind hears of TCP only: questions to DNS by UDP pass. */
static int
add_ports(int set, const struct config *cfg)
{
	if (add_port(set, 53) != 0)
		return -1;
	if (*cfg->proxy != '\0' &&
	    add_port(set, url_port(cfg->proxy, 1080)) != 0)
		return -1;
	for (size_t i = 0; i < cfg->nproviders; i++) {
		const struct config_provider *p = &cfg->providers[i];

		if (p->off == NULL && *p->url != '\0' &&
		    add_port(set, url_port(p->url, 80)) != 0)
			return -1;
	}
	return 0;
}

static int
add_all(int set, const struct sandbox *s, const struct config *cfg,
    const struct ruleset *all)
{
	char dir[PATH_MAX + 1];

	if (add_paths(set, trees) != 0 || add_paths(set, files) != 0 ||
	    add_paths(set, living) != 0)
		return -1;
	if (*cfg->ca_path != '\0' && add_path(set, cfg->ca_path, READ) != 0)
		return -1;
	/* A worker that ends puts it in the place of its listening socket. */
	if (add_path(set, "/dev/null", READ_FILE | WRITE_FILE) != 0 ||
	    add_path(set, folder_of(s, dir), WRITE & all->fs) != 0)
		return -1;
	return all->net == 0 ? 0 : add_ports(set, cfg);
}

/* What the kernel's version can refuse. All of it is refused but what a rule
 * allows. */
static struct ruleset
known(int abi)
{
	struct ruleset r = { FIRST, 0 };

	if (abi >= 3)
		r.fs |= TRUNCATE;
	if (abi >= 5)
		r.fs |= IOCTL_DEV;
	if (abi >= 4)
		r.net = BIND_TCP | CONNECT_TCP;
	return r;
}

/* Bits of what opens: the living files, the certificates, the folder. errno
 * other than EACCES is no refusal. */
static unsigned
refused(const struct sandbox *s)
{
	char dir[PATH_MAX + 1];
	const char *const paths[] = { living[0], living[1], living[2],
	    s->ca_path, folder_of(s, dir) };
	unsigned bits = 0;

	for (unsigned i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (fd >= 0)
			close(fd);
		else if (errno == EACCES)
			bits |= 1u << i;
	}
	return bits;
}

void
sandbox_enter(struct sandbox *s, const struct config *cfg)
{
	const char *slash = strrchr(cfg->state, '/');
	struct ruleset all;
	int set;

	*s = (struct sandbox){ .folder = cfg->state, .ca_path = cfg->ca_path };
	s->folder_len = slash == NULL ? 0 : (size_t)(slash - cfg->state) + 1;
	s->abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    GET_VERSION);
	if (s->abi < 1) {
		s->abi = 0;
		/* landlock_create_ruleset(2) knows no EPERM. */
		s->why = errno == EPERM ? "a filter of system calls forbids "
		    "Landlock (SystemCallFilter=, a container's seccomp)" :
		    "this kernel has no Landlock, or not in use";
		return;
	}
	s->opens = ~refused(s);
	all = known(s->abi);
	set = (int)syscall(SYS_landlock_create_ruleset, &all,
	    s->abi < 4 ? sizeof(all.fs) : sizeof(all), 0);
	if (set < 0) {
		s->why = "Landlock gives no set of rules";
		return;
	}
	if (add_all(set, s, cfg, &all) != 0)
		s->why = "Landlock refuses a rule";
	else if (syscall(SYS_landlock_restrict_self, set, 0) != 0)
		s->why = "Landlock refuses to restrict this process";
	close(set);
}

bool
sandbox_outgrown(const struct sandbox *s)
{
	return s->why == NULL && (refused(s) & s->opens) != 0;
}
