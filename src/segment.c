#include "segment.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whether the linker wrote into segments that may not be written to, as it
 * does for code that was not built to lie anywhere (elf(5), DT_TEXTREL). The
 * file has not what it wrote. */
static bool
patched(const struct dl_phdr_info *info)
{
	const ElfW(Dyn) *d = NULL;

	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			d = (const void *)(info->dlpi_addr +
			    info->dlpi_phdr[i].p_vaddr);
	for (; d != NULL && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS &&
		    (d->d_un.d_val & DF_TEXTREL) != 0))
			return true;
	return false;
}

static int
drop(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from, to;

	(void)size;
	(void)arg;
	for (size_t i = 0; i < info->dlpi_phnum && !patched(info); i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type != PT_LOAD || (h->p_flags & PF_W) != 0)
			continue;
		from = info->dlpi_addr + h->p_vaddr;
		to = (from + h->p_memsz + page - 1) & ~(page - 1);
		from &= ~(page - 1);
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

void
segment_drop(void)
{
	(void)dl_iterate_phdr(drop, NULL);
}
