/* upgrade: another binary takes the place of this one, in the same process and
 * with the same children: who started us (lighttpd, systemd) sees nothing of
 * it, and the listening socket is open all the time. */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct buf;

#define UPGRADE_MOST	512		/* children handed on: twice the most
					 * workers of a configuration */

struct upgrade {
	char		path[PATH_MAX];	/* as we were started; a symbolic link
					 * may lead elsewhere later */
	struct stat	st;		/* what runs */
};

/* What the process has before it was another binary, and after. */
struct upgrade_estate {
	int	fd;			/* the listening socket, or -1 */
	size_t	n;
	pid_t	child[UPGRADE_MOST];
};

/* Remember what runs. */
void	upgrade_init(struct upgrade *u);

/* Whether another file stands in its place now. */
bool	upgrade_due(const struct upgrade *u);

/* Let it check the configuration `file` in a process of its own. 0, or -1: it
 * does not run, or takes too long, or is no relevo, or the configuration is
 * none for it; said then holds why. Blocks, at most 20 s. */
int	upgrade_check(const struct upgrade *u, const char *file,
	    struct buf *said);

/* Become it. socket: the path for `serve --socket`, or NULL. Returns on failure
 * only, with errno. The environment is what it was before `.env`. */
void	upgrade_exec(const struct upgrade *u, const char *file,
	    const char *socket, const struct upgrade_estate *e);

/* What upgrade_exec left to this process; fd -1: it has not been another. To be
 * called before the configuration is read. */
void	upgrade_inherited(struct upgrade_estate *e);

#endif
