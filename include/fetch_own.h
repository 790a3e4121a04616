/* fetch_own: what the files of fetch share. For no one else. */
#ifndef FETCH_OWN_H
#define FETCH_OWN_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "fetch.h"
#include "loop.h"
#include "socks.h"

struct fetcher {
	struct loop		*loop;
	CURLM			*multi;
	CURLSH			*share;		/* of names; for on_lookup */
	struct loop_timer	 timer;
	struct socks		 socks;
	struct fetch_target	*targets;
	struct fetch		*live;
	long			 calls;		/* live ones */
	size_t			 paused;	/* of them */
	struct fetch		*doomed;	/* cancelled inside curl */
	bool			 inside;	/* curl is on the stack */
	struct buf		 turn;		/* bytes not yet told ... */
	struct fetch		*turn_of;	/* ... and whose; NULL: none */
};

struct fetch_target {
	struct fetcher		*fr;
	struct fetch_target	*next;
	CURLU			*url;
	char			*ca_path;
	bool			 ca_is_dir;
	char			*proxy;
	struct curl_slist	*headers;
	int			 connect_ms;
	bool			 http2;
	bool			 strict;	/* must not lead here */
	struct fetch		*spare;
	int			 nspare;
};

/* One call: made once for its target with all that is constant, used again
 * and again. */
struct fetch {
	struct fetch		*next, **prev;	/* live; next: of spares */
	struct fetch		*doom;
	struct fetch_target	*t;
	CURL			*easy;
	const struct fetch_events *events;
	void			*arg;
	struct loop_timer	 clock;		/* while it has no connection */
	int64_t			 late;		/* to get one, steady ms */
	struct loop_task	 blind;		/* posted: it is to end */
	bool			 headed;	/* the final head was told */
	bool			 cancelled;
	bool			 paused;
	bool			 last;		/* of its connection */
	bool			 big;		/* its body, when it last had one */
	bool			 starved;	/* it could get no socket */
	bool			 astray;	/* it led here */
	struct buf		 head;
	char			 error[CURL_ERROR_SIZE];
};

/* Free a target, and the calls that it keeps. */
void	fetch_target_free(struct fetch_target *t);

/* Free a call that is on no list. */
void	fetch_free(struct fetch *f);

/* Take f off what is live, and tell its owner. Not from inside libcurl. */
void	fetch_finish(struct fetch *f, enum fetch_result result,
	    const char *detail);

/* How a call comes by its connection, in connect_ms. Once for a fetcher with
 * its multi handle: 0, or -1 (memory). Once for a call, and whether libcurl
 * took it all; when it begins: 0, or -1 (memory); when it is over. */
int	fetch_link_init(struct fetcher *fr);
bool	fetch_link_setup(struct fetch *f);
int	fetch_link_start(struct fetch *f);
void	fetch_link_end(struct fetch *f);

/* Whether a call is on the connection of socket fd, though it seems to be kept
 * for the next one. arg is the fetcher. */
bool	fetch_link_used(void *arg, int fd);

/* What a CURLcode says of a call of whose head that much came; headed: it was
 * told. */
enum fetch_result fetch_judge(int code, const struct buf *head, bool headed);

/* The certificates to trust: the folder or bundle given, or if that is "" the
 * system's. *out is the caller's to free; NULL: none were found. 0, or -1 out
 * of memory. */
int	fetch_ca(const char *given, char **out, bool *is_dir);

#endif
