#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../src/loop.c"

struct job {
	struct loop_timer timer;
	struct loop_task task;
	struct loop_io	 io;
	struct loop	*l;
	struct job	*other;
	char		 name;
};

static char order[64];

static void
said(char c)
{
	size_t n = strlen(order);

	order[n] = c;
	order[n + 1] = '\0';
}

static void
fire(struct loop_timer *t)
{
	said(((struct job *)((char *)t - offsetof(struct job, timer)))->name);
}

static void
timers_fire_in_the_order_of_their_time(void **state)
{
	static const int due[] = { 5, 1, 4, 2, 3, 9, 7, 8, 6, 0 };
	struct loop *l = loop_new();
	struct job j[10];

	(void)state;
	memset(j, 0, sizeof(j));
	order[0] = '\0';
	for (int i = 0; i < 10; i++) {
		j[i].timer.fire = fire;
		j[i].name = (char)('0' + due[i]);
		assert_int_equal(loop_timer_set(l, &j[i].timer,
		    loop_now(l) + due[i]), 0);
	}
	loop_timer_cancel(l, &j[2].timer);		/* 4 */
	loop_timer_cancel(l, &j[2].timer);
	assert_int_equal(loop_timer_set(l, &j[9].timer, loop_now(l) + 20), 0);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(order, "123567890");
	loop_free(l);
}

/* The heap keeps its order under any sequence of set, move and cancel. */
static void
heap_holds_under_random_use(void **state)
{
	struct loop *l = loop_new();
	static struct job j[200];
	unsigned seed = 7;

	(void)state;
	memset(j, 0, sizeof(j));
	for (int n = 0; n < 20000; n++) {
		seed = seed * 1103515245 + 12345;
		struct job *k = &j[seed / 65536 % 200];

		if (seed / 7 % 4 == 0)
			loop_timer_cancel(l, &k->timer);
		else
			assert_int_equal(loop_timer_set(l, &k->timer,
			    seed / 3 % 1000), 0);
		for (size_t i = 2; n % 500 == 0 && i <= l->timers; i++) {
			assert_true(l->heap[i / 2]->due <= l->heap[i]->due);
			assert_int_equal(l->heap[i]->place, i);
		}
	}
	loop_free(l);
}

static void
run_task(struct loop_task *t)
{
	struct job *j = (struct job *)((char *)t - offsetof(struct job, task));

	said(j->name);
	if (j->other != NULL)
		loop_post(j->l, &j->other->task);
}

static void
tasks_run_once_each_and_may_post_more(void **state)
{
	struct loop *l = loop_new();
	struct job a = { .name = 'a', .l = l }, b = { .name = 'b', .l = l },
	    c = { .name = 'c', .l = l };

	(void)state;
	order[0] = '\0';
	a.task.run = b.task.run = c.task.run = run_task;
	a.other = &c;
	loop_post(l, &a.task);
	loop_post(l, &b.task);
	loop_post(l, &a.task);
	loop_post(l, &c.task);
	loop_unpost(l, &c.task);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(order, "abc");
	loop_free(l);
}

static void
ready(struct loop_io *io, unsigned events)
{
	struct job *j = (struct job *)((char *)io - offsetof(struct job, io));

	(void)events;
	said(j->name);
	loop_forget(j->l, &j->other->io);
	loop_forget(j->l, &j->io);
}

/* Two descriptors are ready in one batch, and the first one's callback drops
 * the other: its event must not come. */
static void
what_is_forgotten_hears_no_more_in_the_same_batch(void **state)
{
	struct loop *l = loop_new();
	struct job a = { .name = 'a', .l = l }, b = { .name = 'b', .l = l };
	int p[2], q[2];

	(void)state;
	order[0] = '\0';
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	a.io.fd = p[0];
	b.io.fd = q[0];
	a.io.ready = b.io.ready = ready;
	a.other = &b;
	b.other = &a;
	assert_int_equal(loop_watch(l, &a.io, EPOLLIN), 0);
	assert_int_equal(loop_watch(l, &b.io, EPOLLIN), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(write(q[1], "x", 1), 1);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(strlen(order), 1);
	loop_free(l);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_the_order_of_their_time),
		cmocka_unit_test(heap_holds_under_random_use),
		cmocka_unit_test(tasks_run_once_each_and_may_post_more),
		cmocka_unit_test(
		    what_is_forgotten_hears_no_more_in_the_same_batch),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
