/* record: FastCGI records: is a request that comes in whole, and how an answer
 * goes out.
 *
 * A walk over record headers (FastCGI specification 1.0, section 3.3) that
 * refuses whatever a web server never sends to a responder: management
 * records, other roles, a second request, records out of order, parameters
 * whose lengths do not add up. What passes is nothing that libfcgi refuses,
 * which it would do by lingering on the socket. Pure; never blocks. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

#define RECORD_PARAMS	(64 * 1024)	/* bytes of parameters in all */

enum record_answer { RECORD_MORE, RECORD_WHOLE, RECORD_BAD };

struct record_walk {
	size_t	at;		/* bytes walked */
	size_t	max_body;
	size_t	params;		/* bytes of parameters so far */
	size_t	body;		/* bytes of input so far */
	unsigned id;
	int	stage;		/* 0 begin, 1 parameters, 2 input, 3 end */
	bool	too_big;	/* the body passed max_body; the rest is not
				 * kept */
	/* name-value pairs, section 3.4 */
	unsigned length;	/* one that is being read ... */
	int	more;		/* ... with so many bytes to come */
	bool	value;		/* it is a value's, not a name's */
	size_t	sum;		/* of the pair's lengths */
	size_t	skip;		/* bytes of the pair itself to come */
	/* record_collect only */
	unsigned char head[8];	/* a header that is not whole yet */
	size_t	have;		/* bytes of it */
	size_t	left;		/* content still to come ... */
	size_t	pad;		/* ... and padding */
	bool	drop;		/* ... which are not kept */
};

void	record_start(struct record_walk *w, size_t max_body);

/* Whether p[0..n), from the request's first byte on, holds it whole. w is
 * fresh from record_start. */
enum record_answer record_whole(struct record_walk *w, const unsigned char *p,
    size_t n);

/* The same piece by piece: append p[0..n) to in. A body beyond max_body is
 * walked to its end but not kept (w->too_big), so that the request can still
 * be answered in order. RECORD_BAD also when in is full. */
enum record_answer record_collect(struct record_walk *w,
    const unsigned char *p, size_t n, struct buf *in);

/* Append p[0..n) as output records of request id, and the two records that end
 * a request in order. 0 or -1 as buf_put. */
int	record_output(struct buf *out, unsigned id, const char *p, size_t n);
int	record_end(struct buf *out, unsigned id);

#endif
