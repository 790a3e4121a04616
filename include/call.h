/* call: one attempt at one lane, the upstream's side of a chat: the request
 * that goes out, the answer that comes in, its clocks. It knows nothing of
 * other lanes, of the client, or of the ledger. */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "fault.h"
#include "reply.h"

struct chat;
struct config_model;
struct config_provider;
struct demo;
struct dial;
struct fetch;
struct loop;
struct provider_answer;

/* What the owner hears. In whole and failed he may drop the call, or free what
 * it is in. */
struct call_events {
	/* The head of an answer, whatever its status; for the limits in it. */
	void	(*head)(void *arg, const char *head, size_t n);
	/* call_due is earlier than it was. */
	void	(*sooner)(void *arg);
	/* c->out holds bytes for the client, to be taken out; c->reply tells
	 * whether content was among them. true: pause. */
	bool	(*out)(void *arg);
	/* The answer is whole; all of it was in c->out. The call is over. */
	void	(*whole)(void *arg);
	/* It came to nothing, in the way that a tells. The call is over, its
	 * reply can still be looked at until call_drop. */
	void	(*failed)(void *arg, const struct provider_answer *a);
};

/* To be read, not written, outside call.c. */
struct call {
	struct loop		*loop;
	struct dial		*dial;
	const struct call_events *events;
	void			*arg;

	const struct config_provider *p;
	const struct config_model *m;
	size_t			 lane;
	struct reply_spec	 spec;
	struct fetch		*fetch;
	struct demo		*demo;
	struct buf		 sent;		/* the body */
	int			 status;	/* 0: no head came */
	struct buf		 head;		/* of an error */
	struct buf		 error;		/* its body */
	bool			 good;		/* reply is in use */
	struct reply		 reply;
	struct buf		 out;		/* for the client */
	bool			 paused;

	/* steady ms */
	int64_t			 began;
	int64_t			 share;		/* its part until content */
	int64_t			 heard;		/* last bytes that count */
	int64_t			 tail;		/* end after [DONE]; 0 none */
};

/* body: most bytes of a client's body. All pointers are borrowed. */
void	call_init(struct call *c, struct loop *loop, struct dial *dial,
	    size_t body, const struct call_events *events, void *arg);
void	call_release(struct call *c);

/* Make the body for model m of p out of the client's. 0 or -1. */
int	call_write(struct call *c, const struct config_provider *p,
	    const struct config_model *m, const struct chat *chat,
	    const char *body, size_t n, enum reply_mode mode);

/* Leave a member out of the body that was made. 0, or -1: it is not there. */
int	call_strip(struct call *c, const char *member);

/* Call lane with the body that was made, and give it share ms until content.
 * No event comes from inside. 0 or -1. */
int	call_start(struct call *c, size_t lane, const struct reply_spec *spec,
	    int64_t share);

/* Whether a call is out. */
bool	call_live(const struct call *c);

/* Whether all of the text has come, though the call may still be out: an end
 * of any kind is then the end of a whole answer. */
bool	call_complete(const struct call *c);

/* Drop it, from any state; the body stays. */
void	call_drop(struct call *c);

/* The steady time when it counts as too slow or is at its end; INT64_MAX while
 * it is paused. */
int64_t	call_due(const struct call *c);

/* It is that time: an event follows. */
void	call_late(struct call *c);

/* Go on after a pause. */
void	call_resume(struct call *c);

#endif
