/* site: where a private file lies: opened without being led elsewhere, read
 * and written in place, made lasting. May block on the file system. */
#ifndef SITE_H
#define SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Open a file that is ours alone: regular, our own, one name, closed to group
 * and others, and not reached through a symbolic link in its last part. Who
 * can write it could give himself quota, who can lock it could stop the
 * service. flags: O_CREAT (made 0600) or 0. The descriptor, or -1 with a
 * sentence in why. */
int	site_open(const char *path, int flags, struct stat *st, char *why,
	    size_t n);

/* All n bytes at an offset. 0 or -1. */
int	site_read(int fd, void *p, size_t n, off_t at);
int	site_write(int fd, const void *p, size_t n, off_t at);

/* Whether the file system is one whose mappings other machines or processes
 * do not see: NFS, SMB, FUSE, 9p, Ceph, AFS. */
bool	site_remote(int fd);

/* path's directory, open to be synced, which makes the names in it lasting; -1
 * with errno. site_sync does both, as well as it can. */
int	site_dir(const char *path);
void	site_sync(const char *path);

#endif
