/* http: one request as the mock reads it, and the few members of a chat body
 * that steer it. Everything points into the caller's bytes. */
#ifndef MOCK_HTTP_H
#define MOCK_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX	(64 << 10)
#define HTTP_BODY_MAX	(64 << 20)

struct span {
	const char *p;
	size_t	 n;
};

struct request {
	struct span method, path, query, head, body;
	bool	 keep;		/* the connection may serve another one */
	bool	 expect;	/* 100-continue */
};

/* 1: r is whole. 0: more bytes are needed (r->expect is set once the head is
 * there). -1: not HTTP, or larger than the limits above. */
int	http_read(struct request *r, const char *p, size_t n);

/* A header's value, {NULL,0} if absent. name in any case. */
struct span http_header(const struct request *r, const char *name);

/* A query parameter, percent-decoded into out with a NUL, cut to cap.
 * false if absent. */
bool	http_query(const struct request *r, const char *name, char *out,
	    size_t cap);

bool	span_is(struct span s, const char *text);
bool	span_ends(struct span s, const char *text);

/* Decode %XX and '+' in place; the new length. */
size_t	http_decode(char *p, size_t n);

struct chat {
	struct span model;	/* inside the quotes, still escaped */
	bool	 stream;
	bool	 usage;		/* stream_options.include_usage */
};

/* The top-level members of a chat body. -1: not one JSON object with a string
 * member "model". Only the shape is checked, not every scalar. */
int	http_chat(struct chat *c, struct span body);

#endif
