#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

int
file_read(const char *path, size_t max, struct buf *out,
    struct file_owner *owner)
{
	char chunk[8192];
	struct stat st = { 0 };
	ssize_t n;
	int fd, error = 0;

	/* O_NONBLOCK: a FIFO in place of the file must not hang us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	while (error == 0 && (n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = errno;
		else if (memchr(chunk, '\0', (size_t)n) != NULL)
			error = EINVAL;
		else if (out->len + (size_t)n > max)
			error = EFBIG;
		else if (buf_put(out, chunk, (size_t)n) != 0)
			error = ENOMEM;
	}
	explicit_bzero(chunk, sizeof(chunk));
	close(fd);
	owner->mode = st.st_mode;
	owner->uid = st.st_uid;
	errno = error;
	return error == 0 ? 0 : -1;
}

const char *
file_why(int error)
{
	switch (error) {
	case EINVAL:
		return "no plain text in UTF-8";
	case EACCES:
		return "Permission denied: run this as a user who may read it, "
		    "such as the one that serves";
	}
	return strerror(error);
}

const char *
file_exposed(const struct file_owner *owner)
{
	if (owner->mode & (S_IWGRP | S_IWOTH))
		return "others may write to it";
	if (owner->mode & S_IROTH)
		return "everyone may read it";
	if ((owner->mode & S_IRGRP) && owner->uid != 0)
		return "its group may read it";
	return NULL;
}
