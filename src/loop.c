#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

#define LOOP_BATCH	128	/* events taken by one epoll_wait */

struct loop {
	int			 epoll;
	bool			 stop;
	int64_t			 now;
	size_t			 watched;
	struct loop_timer	**heap;		/* heap[1..timers] */
	size_t			 timers;
	size_t			 room;
	struct loop_task	*first;
	struct loop_task	**last;
	struct epoll_event	 ev[LOOP_BATCH];
	int			 nev;
	int			 at;		/* the event under way */
};

static void
clock_read(struct loop *l)
{
	struct text_time t;

	text_clock(&t);
	l->now = t.mono;
}

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->last = &l->first;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	clock_read(l);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	close(l->epoll);
	free(l->heap);
	free(l);
}

int64_t
loop_now(const struct loop *l)
{
	return l->now;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}

/* ---- descriptors ---- */

int
loop_watch(struct loop *l, struct loop_io *io, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = io };
	bool known = io->events != 0;

	if (known && io->events == events)
		return 0;
	if (epoll_ctl(l->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, io->fd,
	    &ev) != 0)
		return -1;
	io->events = events;
	l->watched += !known;
	return 0;
}

void
loop_forget(struct loop *l, struct loop_io *io)
{
	if (io->events == 0)
		return;
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL);
	io->events = 0;
	l->watched--;
	for (int i = l->at + 1; i < l->nev; i++)
		if (l->ev[i].data.ptr == io)
			l->ev[i].data.ptr = NULL;
}

/* ---- timers: a binary heap whose members know their place ---- */

static void
heap_put(struct loop *l, size_t place, struct loop_timer *t)
{
	l->heap[place] = t;
	t->place = place;
}

static void
heap_up(struct loop *l, size_t place, struct loop_timer *t)
{
	while (place > 1 && l->heap[place / 2]->due > t->due) {
		heap_put(l, place, l->heap[place / 2]);
		place /= 2;
	}
	heap_put(l, place, t);
}

static void
heap_down(struct loop *l, size_t place, struct loop_timer *t)
{
	size_t kid;

	while ((kid = place * 2) <= l->timers) {
		if (kid < l->timers &&
		    l->heap[kid + 1]->due < l->heap[kid]->due)
			kid++;
		if (l->heap[kid]->due >= t->due)
			break;
		heap_put(l, place, l->heap[kid]);
		place = kid;
	}
	heap_put(l, place, t);
}

int
loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due)
{
	if (t->place != 0) {
		if (due == t->due)
			return 0;
		bool later = due > t->due;

		t->due = due;
		if (later)
			heap_down(l, t->place, t);
		else
			heap_up(l, t->place, t);
		return 0;
	}
	if (l->timers + 1 >= l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		void *p = reallocarray(l->heap, room, sizeof(*l->heap));

		if (p == NULL)
			return -1;
		l->heap = p;
		l->room = room;
	}
	t->due = due;
	heap_up(l, ++l->timers, t);
	return 0;
}

void
loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *moved;
	size_t place = t->place;

	if (place == 0)
		return;
	t->place = 0;
	moved = l->heap[l->timers--];
	if (moved == t)
		return;
	if (place > 1 && l->heap[place / 2]->due > moved->due)
		heap_up(l, place, moved);
	else
		heap_down(l, place, moved);
}

/* Only what was due when it began: a timer that sets itself to now waits for
 * the next batch, so that it cannot starve the descriptors. */
static void
timers_run(struct loop *l)
{
	int64_t now = l->now;

	for (size_t most = l->timers; most > 0 && l->timers > 0; most--) {
		struct loop_timer *t = l->heap[1];

		if (t->due > now)
			break;
		loop_timer_cancel(l, t);
		t->fire(t);
	}
}

/* ---- work at the end of the batch ---- */

void
loop_post(struct loop *l, struct loop_task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	t->next = NULL;
	*l->last = t;
	l->last = &t->next;
}

void
loop_unpost(struct loop *l, struct loop_task *t)
{
	struct loop_task **p = &l->first;

	if (!t->queued)
		return;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	if (l->last == &t->next)
		l->last = p;
	t->queued = false;
}

static void
tasks_run(struct loop *l)
{
	struct loop_task *t;

	while ((t = l->first) != NULL) {
		loop_unpost(l, t);
		t->run(t);
	}
}

/* ---- the loop ---- */

static int
wait_ms(const struct loop *l)
{
	int64_t ms;

	if (l->timers == 0)
		return -1;
	ms = l->heap[1]->due - l->now;
	return ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

int
loop_run(struct loop *l)
{
	l->stop = false;
	tasks_run(l);
	while (!l->stop && l->watched + l->timers > 0) {
		clock_read(l);
		l->nev = epoll_wait(l->epoll, l->ev, LOOP_BATCH, wait_ms(l));
		if (l->nev < 0 && errno != EINTR)
			return -1;
		clock_read(l);
		for (l->at = 0; l->at < l->nev; l->at++) {
			struct loop_io *io = l->ev[l->at].data.ptr;

			if (io != NULL)
				io->ready(io, l->ev[l->at].events);
		}
		l->nev = 0;
		timers_run(l);
		tasks_run(l);
		/* A call that a task began is due now (curl asks to be woken
		 * at once): it leaves in this batch, not after the next
		 * epoll_wait. */
		if (l->timers > 0 && l->heap[1]->due <= l->now && !l->stop) {
			timers_run(l);
			tasks_run(l);
		}
	}
	return 0;
}
