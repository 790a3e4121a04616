/* fetch: outgoing HTTP calls by curl, driven by the loop. The only module
 * that knows curl.
 *
 * One curl multi handle for each fetcher holds the connections, so that every
 * call shares the warm ones. HTTP/1.1 unless a target says otherwise: its
 * memory stays flat and a cancel always arrives (with libcurl 7.88 the
 * RST_STREAM of a cancelled HTTP/2 stream may never be sent, curl issue
 * 17611). Nothing here blocks; names are resolved by libcurl's own threads. */
#ifndef FETCH_H
#define FETCH_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct loop;
struct fetcher;
struct fetch;

/* Starts curl. NULL: out of memory. fetcher_free cancels all calls, takes
 * NULL, and must come before loop_free. */
struct fetcher *fetcher_new(struct loop *l);
void	fetcher_free(struct fetcher *fr);

/* Where calls go: a URL and the header lines that are the same each time.
 * Made once, used by many calls, freed with its fetcher. Strings are copied. */
struct fetch_target;
struct fetch_spec {
	const char	*url;
	const char	*const *headers;	/* "Name: value", NULL last */
	const char	*ca_path;	/* hashed folder or bundle; "": found */
	const char	*proxy;		/* "": none, whatever the env says */
	int		 connect_ms;
	bool		 http2;
	bool		 insecure;	/* a public name may lead here: see
					 * FETCH_ASTRAY */
};
struct fetch_target *fetch_target(struct fetcher *fr,
    const struct fetch_spec *spec);

enum fetch_result {
	FETCH_OK,		/* the transfer ended as HTTP says it may. That
				 * does not prove that an answer is whole */
	FETCH_REFUSED,		/* no connection: DNS, refused, TLS */
	FETCH_ASTRAY,		/* no connection: a public name that leads to
				 * this machine or its link (url_near) */
	FETCH_TIMEOUT,		/* no connection in connect_ms */
	FETCH_CUT,		/* broke off after the connection stood */
	FETCH_MALFORMED,	/* not HTTP, or a head over 64 KiB */
	FETCH_MEMORY		/* none left here, or no descriptor */
};

struct fetch_events {
	/* The final head (1xx are passed over): all lines, each ended by
	 * CRLF, no blank line. Called once, before any body. */
	void	(*head)(void *arg, int status, const char *head, size_t n);
	/* Body bytes, as one turn of its socket brought them; all are taken.
	 * true: pause after these. */
	bool	(*body)(void *arg, const char *p, size_t n);
	/* The end; the call is gone when this is called. detail: a sentence
	 * for the log. Not called after fetch_cancel. */
	void	(*done)(void *arg, enum fetch_result result,
		    const char *detail);
};

/* POST body[0..n) to t (body NULL: GET). body, events and arg are borrowed
 * until the end. NULL: out of memory; nothing will be called. No callback is
 * called from inside. Must not be called from head or body: post a task. */
struct fetch *fetch_start(struct fetcher *fr, struct fetch_target *t,
    const char *body, size_t n, const struct fetch_events *events, void *arg);

/* Drop the call: closes the connection if an answer was under way, so that
 * the other side stops at once. Allowed in its own callbacks. */
void	fetch_cancel(struct fetch *f);

/* The version of the library in use, constant text. */
const char *fetch_version(void);

/* Go on after a pause. May call body before it returns. Must not be called
 * from head or body. */
void	fetch_resume(struct fetch *f);

#endif
