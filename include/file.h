/* file: small text files whole, and who else may see them.
 *
 * May block on the file system. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <sys/types.h>

struct buf;

struct file_owner {
	mode_t	mode;
	uid_t	uid;
};

/* Read a regular file of at most max bytes, no NUL among them, into out, and
 * its owner. 0, or -1 with errno: EFBIG, EISDIR, EINVAL for what is no plain
 * file or holds a NUL, or what open and read say. */
int	file_read(const char *path, size_t max, struct buf *out,
	    struct file_owner *owner);

/* The errno of a file_read that failed in words. */
const char *file_why(int error);

/* What is wrong with the permissions of a file that holds a secret, or NULL:
 * only its owner may read and write it; a group may read it if root owns it,
 * which is Debian's way to give a daemon its file (0640 root:www-data). */
const char *file_exposed(const struct file_owner *owner);

#endif
