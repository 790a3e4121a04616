/* sse: bytes of a text/event-stream into events, whatever the chunking.
 *
 * Follows the WHATWG rules (HTML, 9.2.6): CR, LF and CRLF end a line, one
 * space after the colon is dropped, several data lines are joined by LF, a BOM
 * at the start and unknown fields are ignored, an unfinished last event is no
 * event. A lone CR ends its line at once, so nothing waits for a byte that
 * may never come. Memory is bounded: an event above the maximum ends the
 * stream, or is told in parts. Pure; never blocks. */
#ifndef SSE_H
#define SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

struct sse {
	struct buf	 line;		/* an unfinished line */
	struct buf	 data;		/* data lines of an unfinished event */
	char		 event[32];	/* its event: field, cut to fit */
	bool		 has_data;
	bool		 after_cr;	/* an LF that comes next is no line */
	bool		 started;	/* past the place where a BOM may be */
	bool		 too_big;	/* an event passed the maximum */
	bool		 parts;		/* such an event is told in parts */
	bool		 open;		/* one is at present */
	size_t		(*run)(void *arg, const char *p, size_t n);
	enum sse_rest { SSE_NEW, SSE_TELL, SSE_DROP } rest;
					/* what becomes of the line under way,
					 * of which some was told or dropped */
};

enum sse_part { SSE_WHOLE, SSE_PART, SSE_END };

struct sse_event {
	const char	*event;		/* "" when there was no event: field */
	const char	*data;		/* data lines; valid in the call */
	size_t		 len;		/* 0 for a bare "data" */
	enum sse_part	 part;		/* PART: more of the data follows, in
					 * such parts as it came; END: that was
					 * all, with no data of its own */
};

/* Hears of each whole event that has data. A positive number ends the feed. */
typedef int sse_fn(void *arg, const struct sse_event *ev);

/* max, at least 16: bytes that one line, and the data of one event, may have.
 * parts: an event with more is told in parts, as soon as it has more, and lines
 * of other fields with more are left out. */
void	sse_init(struct sse *s, size_t max, bool parts);
void	sse_release(struct sse *s);

/* Have run asked first wherever an event begins: how many of the bytes p[0..n)
 * it takes itself, whole events with the empty line that ends each, none of
 * which has more than the maximum; 0: none. arg is that of the feed. */
void	sse_runs(struct sse *s, size_t (*run)(void *arg, const char *p,
    size_t n));

/* Take p[0..n) in. 0; -1 when an event passed the maximum (without parts) or
 * memory is out (s->too_big; s is then of no more use); or what fn said, with
 * the rest of p lost. An event of one data line that lies whole in p is not
 * copied: ev->data points into p. */
int	sse_feed(struct sse *s, const char *p, size_t n, sse_fn *fn, void *arg);

/* Whether it was memory that was out, when sse_feed gave -1. */
bool	sse_starved(const struct sse *s);

/* Whether part of an event is still waiting for its end. */
bool	sse_pending(const struct sse *s);

#endif
