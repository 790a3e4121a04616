/* record: FastCGI records: is a request that comes in whole, and how an answer
 * goes out.
 *
 * A walk over record headers (FastCGI specification 1.0, section 3.3) that
 * refuses whatever a web server never sends to a responder: management
 * records, other roles, a second request, records out of order, parameters
 * whose lengths do not add up. What passes is nothing that libfcgi refuses,
 * which it would do by lingering on the socket. And the web server's side of
 * the same, for a CGI process that hands its request on. Pure; never blocks. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define RECORD_PARAMS	(64 * 1024)	/* bytes of parameters in all */
#define RECORD_MOST	(1024 * 1024)	/* ... that are walked, to answer 431 */

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
	bool	too_long;	/* the parameters passed RECORD_PARAMS: neither
				 * they nor the body are kept */
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

/* The same piece by piece: append p[0..n) to in, but what is input to body,
 * without its records: in holds a request whose input is empty. A body beyond
 * max_body, and parameters beyond RECORD_PARAMS, are walked to their end but
 * not kept (w->too_big, w->too_long), so that the request can still be answered
 * in order. RECORD_BAD also when in or body is full, and beyond RECORD_MOST. */
enum record_answer record_collect(struct record_walk *w,
    const unsigned char *p, size_t n, struct buf *in, struct buf *body);

/* Append p[0..n) as output of request id: to the record that begins at *open of
 * out, of which nothing may have been sent, then as new ones; *open is then the
 * last. RECORD_NONE: none. And the two records that end a request in order. 0
 * or -1 as buf_put. */
#define RECORD_NONE	SIZE_MAX
int	record_output(struct buf *out, size_t *open, unsigned id, const char *p,
	    size_t n);
int	record_end(struct buf *out, unsigned id);

/* The same on stderr: a line for the web server's log. */
int	record_error(struct buf *out, size_t *open, unsigned id, const char *p,
	    size_t n);

/* ---- the web server's side ---- */

/* Append a request: the meta-variables among envp ("NAME=value", NULL last;
 * RFC 3875 4.1, with HTTP_* and Apache's REDIRECT_*) and a body. All but its
 * last record, RECORD_LAST bytes at *record_last, without which no responder
 * begins. 0, or -1: too many variables, or as buf_put. */
#define RECORD_LAST	8
extern const unsigned char record_last[RECORD_LAST];
int	record_request(struct buf *out, char *const *envp, const char *body,
	    size_t n);

/* What a responder says before it is asked: that it is there. No record of
 * the answer; an empty FCGI_GET_VALUES_RESULT (section 4.1). */
#define RECORD_HELLO_LEN 8
extern const unsigned char record_hello[RECORD_HELLO_LEN];

enum record_kind { RECORD_NOTHING, RECORD_HELLO, RECORD_STDOUT, RECORD_STDERR,
    RECORD_END, RECORD_BROKEN };

struct record_piece {
	enum record_kind kind;
	const unsigned char *p;		/* of STDOUT and STDERR */
	size_t	n;
};

struct record_reply {			/* begins as {0} */
	unsigned char head[8];
	size_t	have;			/* bytes of it */
	size_t	left, pad;		/* still to come */
};

/* Take the next piece of an answer off p[0..n), n > 0; the bytes it took, at
 * least one. */
size_t	record_reply(struct record_reply *r, const unsigned char *p, size_t n,
	    struct record_piece *piece);

#endif
