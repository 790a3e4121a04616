#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>


#include <stdbool.h>

#include "../../src/file.c"

#include <stdio.h>
#include <stdlib.h>

static void
test_read(void **state)
{
	char path[] = "/tmp/relevo-file-XXXXXX", fifo[64];
	struct file_owner owner;
	struct buf b;
	int fd = mkstemp(path);

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	assert_int_equal(file_read(path, 6, &b, &owner), 0);
	assert_string_equal(buf_str(&b), "hello\n");
	assert_int_equal(owner.mode & 0777, 0600);
	assert_int_equal(owner.uid, geteuid());
	buf_clear(&b);
	assert_int_equal(file_read(path, 5, &b, &owner), -1);
	assert_int_equal(errno, EFBIG);
	buf_clear(&b);
	assert_int_equal(write(fd, "\0", 1), 1);
	assert_int_equal(file_read(path, 100, &b, &owner), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
	unlink(path);
	assert_int_equal(file_read(path, 100, &b, &owner), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(file_read("/tmp", 100, &b, &owner), -1);
	assert_int_equal(errno, EISDIR);
	/* A pipe nobody writes to must not hang. */
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(file_read(fifo, 100, &b, &owner), -1);
	assert_int_equal(errno, EINVAL);
	unlink(fifo);
	buf_release(&b);
}

static void
test_exposed(void **state)
{
	static const struct {
		mode_t mode;
		uid_t uid;
		bool fine;
	} rows[] = {
		{ 0600, 1000, true }, { 0400, 0, true }, { 0640, 0, true },
		{ 0700, 1000, true }, { 0640, 1000, false },
		{ 0644, 0, false }, { 0660, 0, false }, { 0602, 0, false },
		{ 0604, 1000, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct file_owner o = { rows[i].mode, rows[i].uid };

		assert_true((file_exposed(&o) == NULL) == rows[i].fine);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_exposed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
