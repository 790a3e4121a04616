#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "../../src/upgrade.c"

static void
inherits(const char *text, int fd, size_t n)
{
	struct upgrade_estate e;

	assert_int_equal(setenv(VARIABLE, text, 1), 0);
	upgrade_inherited(&e);
	if (e.fd != fd || e.n != n)
		fail_msg("'%s': %d, %zu", text, e.fd, e.n);
	assert_null(getenv(VARIABLE));
}

static void
what_one_leaves_the_next_finds(void **state)
{
	struct upgrade_estate e = { .fd = 7, .n = UPGRADE_MOST }, f;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < e.n; i++)
		e.child[i] = 4194000 + (pid_t)i;
	buf_init(&out, 16 * 1024);
	write_estate(&out, &e);
	assert_false(out.failed);
	assert_int_equal(setenv(VARIABLE, buf_str(&out), 1), 0);
	upgrade_inherited(&f);
	assert_int_equal(f.fd, 7);
	assert_int_equal(f.n, UPGRADE_MOST);
	assert_memory_equal(f.child, e.child, sizeof(f.child));
	buf_release(&out);
}

static void
only_ones_own_estate_is_taken(void **state)
{
	char text[64];
	struct upgrade_estate e;

	(void)state;
	unsetenv(VARIABLE);
	upgrade_inherited(&e);
	assert_int_equal(e.fd, -1);
	inherits("", -1, 0);
	inherits("x y", -1, 0);
	snprintf(text, sizeof(text), "%d 3 500", (int)getpid() + 1);
	inherits(text, -1, 0);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	inherits(text, -1, 0);
	snprintf(text, sizeof(text), "%d 0", (int)getpid());
	inherits(text, 0, 0);
	snprintf(text, sizeof(text), "%d 3 500 1 501", (int)getpid());
	inherits(text, 3, 1);		/* never init, never a group */
	snprintf(text, sizeof(text), "%d 3 500 -1 501", (int)getpid());
	inherits(text, 3, 1);
}

static void
another_file_is_due_and_the_same_is_not(void **state)
{
	struct upgrade u;

	(void)state;
	upgrade_init(&u);
	assert_int_equal(u.path[0], '/');
	assert_false(upgrade_due(&u));
	u.st.st_ino++;
	assert_true(upgrade_due(&u));
	u.st.st_ino--;
	u.st.st_mtim.tv_nsec++;
	assert_true(upgrade_due(&u));
	strcpy(u.path, "/nonexistent/relevo");
	assert_false(upgrade_due(&u));	/* a reload, then */
	u.path[0] = '\0';
	assert_false(upgrade_due(&u));
}

static int
check_by(const char *script, int ms, struct buf *said)
{
	struct upgrade u = { .path = "/tmp/relevo-upgrade-XXXXXX" };
	int fd = mkstemp(u.path), rc;

	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	buf_init(said, 4096);
	alarm(30);
	rc = check(&u, "none", ms, said);
	alarm(0);
	unlink(u.path);
	return rc;
}

/* Its parent has no time for anything else meanwhile. */
static void
a_check_that_goes_on_without_output_is_ended(void **state)
{
	struct buf said;

	(void)state;
	assert_int_equal(check_by("#!/bin/sh\n"
	    "exec </dev/null >/dev/null 2>&1\nexec sleep 60\n", 300,
	    &said), -1);
	assert_string_equal(buf_str(&said), "killed by signal 9");
	buf_release(&said);
}

static void
a_check_that_cannot_begin_says_why(void **state)
{
	struct rlimit before, none;
	struct upgrade u = { .path = "/nonexistent/relevo" };
	struct buf said;

	(void)state;
	buf_init(&said, 4096);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(check(&u, "none", 300, &said), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_string_equal(buf_str(&said), strerror(EMFILE));
	buf_release(&said);
}

static void
warnings_of_any_number_are_no_matter(void **state)
{
	struct buf said;

	(void)state;
	assert_int_equal(check_by("#!/bin/sh\nseq 5000 >&2\n"
	    "echo /x: ok, 1 of 1\n", CHECK_MS, &said), 0);
	buf_release(&said);
	assert_int_equal(check_by("#!/bin/sh\nseq 5000 >&2\n"
	    "echo /x: wrong >&2; exit 2\n", CHECK_MS, &said), -1);
	assert_non_null(strstr(buf_str(&said), "5000\n/x: wrong\nstatus 2"));
	assert_in_range(said.len, 2000, 2100);
	buf_release(&said);
}

/* In a process that runs a copy: whether it is due when another one took its
 * place before upgrade_init was called. */
static int
replaced(char **argv)
{
	struct upgrade u;

	if (rename(argv[2], argv[0]) != 0)
		return 2;
	upgrade_init(&u);
	return upgrade_due(&u) ? 0 : 1;
}

static void
copy_self(const char *to)
{
	char command[600];

	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", (int)getpid(),
	    to);
	assert_int_equal(system(command), 0);
}

static void
one_that_came_before_it_was_asked_for_is_due(void **state)
{
	char dir[] = "/tmp/relevo-upgrade-XXXXXX", one[64], two[64];
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(one, sizeof(one), "%s/one", dir);
	snprintf(two, sizeof(two), "%s/two", dir);
	copy_self(one);
	copy_self(two);
	pid = fork();
	if (pid == 0) {
		execl(one, one, "replaced", two, (char *)NULL);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	unlink(one);
	rmdir(dir);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "replaced") == 0)
		return replaced(argv);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_leaves_the_next_finds),
		cmocka_unit_test(only_ones_own_estate_is_taken),
		cmocka_unit_test(a_check_that_goes_on_without_output_is_ended),
		cmocka_unit_test(a_check_that_cannot_begin_says_why),
		cmocka_unit_test(warnings_of_any_number_are_no_matter),
		cmocka_unit_test(one_that_came_before_it_was_asked_for_is_due),
		cmocka_unit_test(another_file_is_due_and_the_same_is_not),
	};

	return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}
