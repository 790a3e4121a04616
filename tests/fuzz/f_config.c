/* Any text as a configuration: it loads or says why, never both; and what is
 * printed of it loads again to what prints the same. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/log.c"
#include "config.h"
#include "forget.h"
#include "share.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* config_load wants a path: an anonymous file has one below /proc, and one
 * serves all runs. Its number is none that is soon guessed: a file that
 * includes itself is read 256 times, and what the fuzzer makes of it took all
 * of its time. */
static int
file(void)
{
	static int fd = -1;
	int low;

	if (fd < 0) {
		low = memfd_create("config", MFD_CLOEXEC);
		fd = fcntl(low, F_DUPFD_CLOEXEC, 731);
		close(low);
		must(fd >= 0 && fchmod(fd, 0600) == 0);
	}
	return fd;
}

static struct config *
load(const void *p, size_t n)
{
	struct buf errors, warnings;
	struct config *c;
	char path[64];
	int fd = file();

	must(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
	buf_init(&errors, 1 << 20);
	buf_init(&warnings, 1 << 20);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c = config_load(path, &errors, &warnings);
	must((c == NULL) == (errors.len != 0));
	buf_release(&errors);
	buf_release(&warnings);
	return c;
}

static void
print_loads(const struct config *c, const uint8_t *data, size_t n)
{
	struct config *again = NULL;
	struct buf one, two;
	size_t i;

	for (i = 0; i < c->naliases; i++)
		must(config_find(c, c->aliases[i].name) == &c->aliases[i]);
	must(config_find(c, "") == &c->aliases[0]);
	buf_init(&one, 16 << 20);
	buf_init(&two, 16 << 20);
	must(config_print(c, &one) == 0);
	/* The print is longer than what it prints: reading it costs more than
	 * all the rest. */
	if (share(data, n, 4)) {
		again = load(one.data, one.len);
		/* It may be too long to be read, no more than that. */
		must(again != NULL || one.len > 1000000);
	}
	if (again != NULL) {
		must(config_print(again, &two) == 0);
		must(strcmp(buf_str(&one), buf_str(&two)) == 0);
		must(again->nlanes == c->nlanes);
		must(again->naliases == c->naliases);
	}
	buf_release(&one);
	buf_release(&two);
	config_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct config *c = load(data, n);

	if (c != NULL)
		print_loads(c, data, n);
	config_free(c);
	/* What is kept from one run to the next is taken for a leak; after a
	 * thousand of these libFuzzer looks for none any more. */
	forget();
	return 0;
}
