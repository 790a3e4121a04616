/* answer: one HTTP/1.1 answer as it comes in, for the load generator. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct answer {
	char	*head;		/* with a NUL behind it */
	size_t	 nhead, head_room;
	char	*body;		/* decoded, with a NUL behind it */
	size_t	 nbody, body_room;
	bool	 chunked, close;
	long	 length;	/* of the body, -1: not told */
	int	 state;
	size_t	 left;		/* of a chunk */
};

/* An empty answer; keeps the memory of the one before, zeroed at first. */
void	answer_clear(struct answer *a);

/* Take bytes: 1 when the answer is whole, 0 when more must come, -1 when it is
 * no HTTP. What comes behind a whole answer makes it -1: nothing was asked. */
int	answer_take(struct answer *a, const char *p, size_t n);

/* The peer closed: 1 if that is how this answer ends, else -1. */
int	answer_end(const struct answer *a);

/* Status 200 and exactly the answer of the mock with that many tokens: a
 * stream of as many chunks, one finish_reason and [DONE], or one object. */
bool	answer_right(const struct answer *a, bool stream, size_t tokens);

#endif
