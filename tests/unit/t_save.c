#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>

#include "../../src/save.c"

static const struct save_head head_in = { 7, 8, 9, 10, 11 };
static const struct save_range ranges[] = { { 2, 3 }, { 8, 8 } };

static int
temporary(void)
{
	char name[] = "/tmp/t_saveXXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return fd;
}

static void
comes_back(void **state)
{
	unsigned char image[16], out[16];
	struct save_head h;
	size_t len, n, i;
	void *p, *q;
	int fd = temporary();

	(void)state;
	for (i = 0; i < 16; i++)
		image[i] = (unsigned char)(i + 1);
	p = save_make(&head_in, image, ranges, 2, &len);
	assert_int_equal(0, save_write(fd, p, len));
	q = save_read(fd, &h, &n);
	assert_non_null(q);
	assert_int_equal(len, n);
	assert_int_equal(7, h.number);
	assert_int_equal(8, h.nonce);
	assert_int_equal(9, h.layout);
	assert_int_equal(10, h.wall);
	assert_int_equal(11, h.mono);
	memset(out, 0, sizeof(out));
	assert_int_equal(0, save_apply(q, n, out, 16));
	assert_memory_equal(out, "\0\0\3\4\5\0\0\0\11\12\13\14\15\16\17\20",
	    16);
	/* a smaller image: nothing is written */
	memset(out, 0, sizeof(out));
	assert_int_equal(-1, save_apply(q, n, out, 15));
	assert_memory_equal(out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	free(p);
	free(q);
	close(fd);
}

/* Each byte changed, each length short of the whole: refused. */
static void
refuses_damage(void **state)
{
	unsigned char image[16] = { 1, 2, 3 }, *p, c;
	struct save_head h;
	size_t len, n, i;
	int fd = temporary();

	(void)state;
	p = save_make(&head_in, image, ranges, 2, &len);
	assert_int_equal(0, save_write(fd, p, len));
	for (i = 0; i < len; i++) {
		c = (unsigned char)(p[i] ^ 0x10);
		assert_int_equal(1, pwrite(fd, &c, 1, (off_t)i));
		assert_null(save_read(fd, &h, &n));
		assert_int_equal(1, pwrite(fd, p + i, 1, (off_t)i));
	}
	for (i = len; i-- > 0; ) {
		assert_int_equal(0, ftruncate(fd, (off_t)i));
		assert_null(save_read(fd, &h, &n));
	}
	free(p);
	close(fd);
}

static void
a_longer_file_from_before(void **state)
{
	unsigned char image[16] = { 1 };
	struct save_head h;
	size_t len, n;
	void *p;
	int fd = temporary();

	(void)state;
	assert_int_equal(0, ftruncate(fd, 5000));
	p = save_make(&head_in, image, ranges, 1, &len);
	assert_int_equal(0, save_write(fd, p, len));
	free(p);
	p = save_read(fd, &h, &n);
	assert_non_null(p);
	free(p);
	close(fd);
}

static void
sums_differ(void **state)
{
	(void)state;
	assert_true(save_sum(1, "abcdefgh", 8) != save_sum(1, "abcdefgi", 8));
	assert_true(save_sum(1, "abcdefgh", 8) != save_sum(2, "abcdefgh", 8));
	assert_true(save_sum(1, "\0", 1) != save_sum(1, "\0\0", 2));
	assert_true(save_sum(1, "12345678abcdefgh", 16) !=
	    save_sum(1, "abcdefgh12345678", 16));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(refuses_damage),
		cmocka_unit_test(a_longer_file_from_before),
		cmocka_unit_test(sums_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
