#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/segment.c"

/* A segment as a library's is, with other bytes in memory than in its file. */
static char *
segment(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = memfd_create("segment", MFD_CLOEXEC);
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)page), 0);
	assert_int_equal(pwrite(fd, "file", 5, 0), 5);
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);
	strcpy(p, "memory");
	return p;
}

/* What stands there after a drop of the segment with flags, of a library whose
 * dynamic section has tag with value. */
static void
dropped(unsigned flags, int tag, unsigned value, const char *expect)
{
	char *p = segment();
	ElfW(Dyn) dyn[2] = { { .d_tag = tag, .d_un.d_val = value } };
	ElfW(Phdr) h[2] = {
		{ .p_type = PT_DYNAMIC, .p_flags = PF_R | PF_W,
		  .p_vaddr = (uintptr_t)dyn - (uintptr_t)p },
		{ .p_type = PT_LOAD, .p_flags = flags, .p_memsz = 100 },
	};
	struct dl_phdr_info info = { .dlpi_addr = (uintptr_t)p,
	    .dlpi_phdr = h, .dlpi_phnum = 2 };

	assert_int_equal(drop(&info, sizeof(info), NULL), 0);
	assert_string_equal(p, expect);
	munmap(p, (size_t)sysconf(_SC_PAGESIZE));
}

static void
test_drop(void **state)
{
	(void)state;
	dropped(PF_R, DT_NULL, 0, "file");
	dropped(PF_R | PF_X, DT_FLAGS, DF_BIND_NOW, "file");
	dropped(PF_R | PF_W, DT_NULL, 0, "memory");
}

static void
test_patched(void **state)
{
	(void)state;
	dropped(PF_R | PF_X, DT_TEXTREL, 0, "memory");
	dropped(PF_R | PF_X, DT_FLAGS, DF_TEXTREL, "memory");
}

/* We, and all that we have loaded, go on. */
static void
test_own(void **state)
{
	(void)state;
	segment_drop();
	assert_int_equal(strlen("segment"), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_patched),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
