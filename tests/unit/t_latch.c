#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/latch.c"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define OUTER	100
#define LIFE	200

static char path[] = "/tmp/latch.XXXXXX";

struct shared {
	_Atomic uint64_t word;
	volatile uint64_t count;		/* changed under the latch */
	volatile uint64_t inside;
	uint64_t deaths;
};
static struct shared *sh;

static int
setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/latch.XXXXXX");
	if ((fd = mkstemp(path)) < 0)
		return -1;
	close(fd);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return sh == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	munmap(sh, sizeof(*sh));
	return unlink(path);
}

/* As another process would: a description of its own. */
static struct latch
opened(void)
{
	struct latch l;

	latch_init(&l, open(path, O_RDWR | O_CLOEXEC), OUTER, LIFE);
	assert_true(l.fd >= 0);
	return l;
}

static void
closed(struct latch *l)
{
	close(l->fd);
}

/* What a process that dies leaves: its bytes free, its word. */
static void
killed(struct latch *l)
{
	close(l->fd);
	l->fd = -1;
}

static void
taken_and_dropped(void **state)
{
	struct latch a = opened(), b = opened();

	(void)state;
	assert_int_equal(7, latch_claim(&a, &sh->word, 7));
	assert_int_equal(8, latch_claim(&b, &sh->word, 7));
	assert_int_equal(7, latch_claim(&a, &sh->word, 9));
	assert_int_equal(0, latch_take(&a, &sh->word, 0));
	assert_int_equal(7, holder(sh->word));
	assert_int_equal(-1, latch_take(&b, &sh->word, 1));
	assert_int_equal(EAGAIN, errno);
	latch_drop(&a, &sh->word);
	assert_int_equal(0, sh->word);
	assert_int_equal(0, latch_take(&b, &sh->word, 0));
	latch_drop(&a, &sh->word);		/* not his */
	assert_int_equal(8, holder(sh->word));
	latch_drop(&b, &sh->word);
	closed(&a);
	closed(&b);
}

static void
with_and_without_a_number(void **state)
{
	struct latch a = opened(), b = opened(), c = opened();

	(void)state;
	latch_claim(&a, &sh->word, 0);
	assert_int_equal(0, latch_take(&b, &sh->word, 0));
	assert_int_equal(NOBODY, holder(sh->word));
	assert_int_equal(-1, latch_take(&a, &sh->word, 1));
	assert_int_equal(-1, latch_take(&c, &sh->word, 1));
	/* a number got while it is held does not change whose it is */
	assert_true(latch_claim(&b, &sh->word, 0) > 0);
	assert_int_equal(-1, latch_take(&a, &sh->word, 1));
	latch_drop(&b, &sh->word);
	assert_int_equal(0, latch_take(&a, &sh->word, 0));
	assert_int_equal(-1, latch_take(&c, &sh->word, 1));
	/* he who waited in vain stands in nobody's way */
	latch_drop(&a, &sh->word);
	assert_false(lock_held(a.fd, OUTER, 1));
	assert_int_equal(0, latch_take(&c, &sh->word, 0));
	latch_drop(&c, &sh->word);
	latch_resign(&b);
	assert_false(latch_alive(&a, 1));
	closed(&a);
	closed(&b);
	closed(&c);
}

static void
of_the_dead(void **state)
{
	struct latch a = opened(), b = opened(), c = opened(), d;

	(void)state;
	/* one with a number, found by one with and by one without */
	latch_claim(&a, &sh->word, 3);
	latch_claim(&b, &sh->word, 4);
	assert_int_equal(0, latch_take(&a, &sh->word, 0));
	killed(&a);
	assert_int_equal(0, latch_take(&b, &sh->word, 0));
	killed(&b);
	assert_int_equal(0, latch_take(&c, &sh->word, 0));
	/* one without, found by one with and by one without */
	killed(&c);
	d = opened();
	latch_claim(&d, &sh->word, 5);
	assert_int_equal(0, latch_take(&d, &sh->word, 0));
	latch_drop(&d, &sh->word);
	c = opened();
	assert_int_equal(0, latch_take(&c, &sh->word, 0));
	killed(&c);
	c = opened();
	assert_int_equal(0, latch_take(&c, &sh->word, 0));
	latch_drop(&c, &sh->word);
	closed(&c);
	closed(&d);
}

/* The number of a dead holder is given out again: its new owner lives, and so
 * would vouch for a word that is not his. */
static void
of_the_dead_whose_number_lives(void **state)
{
	struct latch a = opened(), b = opened(), c = opened();
	uint64_t left;

	(void)state;
	latch_claim(&a, &sh->word, 3);
	assert_int_equal(0, latch_take(&a, &sh->word, 0));
	left = sh->word;
	killed(&a);
	assert_int_equal(3, latch_claim(&b, &sh->word, 3));
	assert_int_equal(0, sh->word);		/* he looked */
	latch_claim(&c, &sh->word, 9);
	assert_int_equal(0, latch_take(&c, &sh->word, 0));
	latch_drop(&c, &sh->word);
	/* nor is he himself taken in by it */
	sh->word = left;
	assert_int_equal(0, latch_take(&b, &sh->word, 0));
	assert_true(sh->word != left);
	latch_drop(&b, &sh->word);
	closed(&b);
	closed(&c);
}

static void
damaged(void **state)
{
	static const uint64_t junk[] = { 1, 0xffffffffffffffff,
	    (uint64_t)(NOBODY + 1) << COUNTED, (uint64_t)600 << COUNTED,
	    (uint64_t)0x8000 << COUNTED, (uint64_t)1 << COUNTED };
	struct latch a = opened();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		sh->word = junk[i];
		assert_int_equal(0, latch_take(&a, &sh->word, 0));
		latch_drop(&a, &sh->word);
		assert_int_equal(0, sh->word);
		sh->word = junk[i];
		latch_claim(&a, &sh->word, 17);
		assert_int_equal(0, latch_take(&a, &sh->word, 0));
		latch_drop(&a, &sh->word);
		latch_resign(&a);
	}
	/* changed while it was held: not made free */
	assert_int_equal(0, latch_take(&a, &sh->word, 0));
	sh->word = 5;
	latch_drop(&a, &sh->word);
	assert_int_equal(5, sh->word);
	closed(&a);
}

static void
seized(void **state)
{
	struct latch a = opened(), b = opened();

	(void)state;
	latch_claim(&b, &sh->word, 2);
	sh->word = (uint64_t)3 << COUNTED;	/* b's, from another boot */
	assert_int_equal(0, lock_try(a.fd, OUTER));
	latch_seize(&a, &sh->word);
	assert_int_equal(-1, latch_take(&b, &sh->word, 1));
	latch_drop(&a, &sh->word);
	assert_int_equal(0, latch_take(&b, &sh->word, 0));
	latch_drop(&b, &sh->word);
	closed(&a);
	closed(&b);
}

static void
the_outer_lock_alone(void **state)
{
	struct latch a = opened(), b = opened();

	(void)state;
	latch_claim(&a, NULL, 0);
	latch_claim(&b, NULL, 0);
	assert_int_equal(0, latch_take(&a, NULL, 0));
	assert_int_equal(-1, latch_take(&b, NULL, 1));
	latch_drop(&a, NULL);
	assert_int_equal(0, latch_take(&b, NULL, 0));
	latch_drop(&b, NULL);
	closed(&a);
	closed(&b);
}

static void
no_value_twice(void **state)
{
	struct latch a = opened(), b = opened();
	uint64_t was = name(&a);

	(void)state;
	assert_true(name(&a) != was);
	assert_true((a.next ^ b.next) != 0);
	a.next = UINT64_MAX;			/* the number stays clean */
	assert_int_equal(NOBODY, holder(name(&a)));
	assert_int_equal(NOBODY, holder(name(&a)));
	assert_int_equal(0, a.next - 1);
	closed(&a);
	closed(&b);
}

/* One of a crowd, until it is killed: any instruction may be its last. */
static void
crowd(int i)
{
	struct latch l = opened();
	int k;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (i % 3 != 0)
		latch_claim(&l, &sh->word, i % 4);
	for (;;) {
		/* The one who has it may be stopped; the parent has an end. */
		if (latch_take(&l, &sh->word, INT64_MAX) < 0)
			_exit(3);
		/* Whoever is let in beside us writes here, too. */
		sh->inside = l.held;
		sh->count++;
		for (k = 0; k < 50; k++)
			if (sh->inside != l.held)
				_exit(4);
		latch_drop(&l, &sh->word);
	}
}

static void
killed_in_a_crowd(void **state)
{
	uint64_t before;
	pid_t pid[6];
	int i, k, n, st;

	(void)state;
	for (k = 0; k < 6; k++)
		if ((pid[k] = fork()) == 0)
			crowd(k);
	for (i = 0; i < 300; i++) {
		before = sh->count;
		k = i % 6;
		usleep(500 + (useconds_t)(i * 37 % 500));
		kill(pid[k], SIGKILL);
		waitpid(pid[k], &st, 0);
		assert_true(WIFSIGNALED(st));	/* not by itself */
		if ((pid[k] = fork()) == 0)
			crowd(i);
		for (n = 0; n < 300000 && sh->count == before; n++)
			usleep(100);
		assert_true(sh->count != before);	/* it goes on */
	}
	for (k = 0; k < 6; k++) {
		kill(pid[k], SIGKILL);
		waitpid(pid[k], &st, 0);
		assert_true(WIFSIGNALED(st));
	}
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(taken_and_dropped), T(with_and_without_a_number),
		T(of_the_dead), T(of_the_dead_whose_number_lives), T(damaged),
		T(seized), T(the_outer_lock_alone), T(no_value_twice),
		T(killed_in_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
