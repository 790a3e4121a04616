/* loop: epoll, timers and posted work: what one thread needs to serve
 * thousands of streams.
 *
 * All callbacks run in loop_run, one after the other; none may block. A batch
 * is one return of epoll_wait: first its descriptors, then the timers that are
 * due, then the posted tasks. Objects with callbacks are embedded in the
 * caller's structs and are his; they must be forgotten or cancelled before he
 * frees them, which he may do from inside any callback, his own too. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* The struct whose member p points to, as each callback gets it. */
#define LOOP_OWNER(p, type, member)					\
	((type *)(void *)((char *)(p) - offsetof(type, member)))

/* NULL: out of memory or of descriptors. */
struct loop *loop_new(void);
void	loop_free(struct loop *l);	/* takes NULL */

/* Run until loop_stop or until nothing is left to wait for. 0, or -1 when
 * epoll itself failed. */
int	loop_run(struct loop *l);
void	loop_stop(struct loop *l);

/* The steady clock in ms (as text_time.mono), read once a batch. */
int64_t	loop_now(const struct loop *l);

/* ---- descriptors ---- */

struct loop_io {
	int	 fd;
	void	(*ready)(struct loop_io *io, unsigned events);
	unsigned events;		/* what is watched; 0: nothing */
};

/* Watch io->fd for events (EPOLLIN ...), or change what is watched. The first
 * call for an io adds it. EPOLLERR and EPOLLHUP are always told. 0 or -1. */
int	loop_watch(struct loop *l, struct loop_io *io, unsigned events);

/* Stop watching; later events of the present batch do not reach io. The
 * descriptor stays open and is the caller's to close. */
void	loop_forget(struct loop *l, struct loop_io *io);

/* ---- timers ---- */

struct loop_timer {
	void	(*fire)(struct loop_timer *t);
	int64_t	 due;			/* steady ms */
	size_t	 place;			/* in the heap; 0: not set */
};

/* Fire once at steady time due (again: moves it; INT64_MAX: never). 0, or -1
 * out of memory: not if it is set, nor first of all in its own fire, where its
 * place is still free. */
int	loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due);
void	loop_timer_cancel(struct loop *l, struct loop_timer *t);

/* ---- work at the end of the batch ---- */

struct loop_task {
	void	(*run)(struct loop_task *t);
	struct loop_task *next;
	bool	 queued;
};

/* Run t once when the batch's events are done; posting twice is once. */
void	loop_post(struct loop *l, struct loop_task *t);
void	loop_unpost(struct loop *l, struct loop_task *t);

#endif
