/* slow: a disk that has nothing for sure while SLOW_DISK/hold is there. To be
 * preloaded into relevo; tells in SLOW_DISK/disk who waits, and when it is
 * over:
 *
 *	held loop	by the thread that has the loop
 *	held aside	by another
 *	free
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int	fdatasync(int fd);
int	fsync(int fd);

static char dir[100];

/* The program wipes its environment. */
static void __attribute__((constructor))
slow_init(void)
{
	const char *p = getenv("SLOW_DISK");

	snprintf(dir, sizeof(dir), "%s", p != NULL ? p : "/nowhere");
}

static void
tell(const char *word)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/disk", dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, word, strlen(word)) < 0)
		abort();
	close(fd);
}

static int
slow(long call, int fd)
{
	char hold[200];

	snprintf(hold, sizeof(hold), "%s/hold", dir);
	if (access(hold, F_OK) != 0)
		return (int)syscall(call, fd);
	tell(getpid() == gettid() ? "held loop\n" : "held aside\n");
	while (access(hold, F_OK) == 0)
		usleep(10000);
	tell("free\n");
	return (int)syscall(call, fd);
}

int
fdatasync(int fd)
{
	return slow(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return slow(SYS_fsync, fd);
}
