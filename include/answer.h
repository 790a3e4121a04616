/* answer: the client's side of one chat: the head, the bytes, the heartbeat,
 * and how a fault is told at each stage. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "reply.h"

struct buf;
struct fault;
struct http;

/* Where the answer goes; a front fills it. */
struct sink {
	/* Take bytes of the CGI response, its head included. Never blocks and
	 * takes all. true: enough for now, relay_drained will follow. */
	bool	(*put)(struct sink *s, const char *p, size_t n);
	/* The response is at its end; nothing follows. whole false: make the
	 * client see that it is cut short. */
	void	(*end)(struct sink *s, bool whole);
};

struct answer {
	struct sink		*sink;
	const struct http	*http;
	char *const		*origins;	/* CORS */
	enum reply_mode		 mode;
	bool			 headed;	/* the head went out ... */
	bool			 content;	/* ... and content */
	bool			 full;		/* the sink has enough */
	bool			 dared;		/* the attempt is at a lane that
						 * is barred */
	char			 trail[512];	/* "groq:429,cerebras:ok" */
};

/* Note how provider was tried, for the attempts that the head tells. */
void	answer_trail(struct answer *a, const char *provider, const char *word);

/* Put {"provider","model","attempts"} into out, which is emptied first: what
 * the first event tells if this attempt answers. */
void	answer_who(const struct answer *a, const char *provider,
	    const char *model, struct buf *out);

/* Give out b, unless the head could not be, and empty it. */
void	answer_put(struct answer *a, struct buf *b);

/* The head of a good answer, unless it is out; provider and model, as far as
 * they are known (else NULL). Without memory for it a->headed stays false, and
 * all that is left to give is a fault. */
void	answer_head(struct answer *a, const char *provider, const char *model);

/* A comment: keeps idle hops open, and finds out whether the client is still
 * there. It commits the status, not the content. REPLY_SSE only. */
void	answer_beat(struct answer *a);

/* Append the header lines about trying again: when, or not by itself. */
void	answer_retry(struct buf *head, const struct fault *f);

/* Tell f: as a status while that is possible, else inside the stream. The
 * status that the client saw; *whole: what sink->end is to be told. */
int	answer_fault(struct answer *a, const struct fault *f, bool *whole);

#endif
