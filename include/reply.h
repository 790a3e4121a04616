/* reply: an upstream's bytes into the client's bytes. Pure; never blocks.
 *
 * It looks into every event for what the promises need (content, finish,
 * usage, error) and passes its data on as it came. What it adds or changes is
 * little and listed: `data: ` framing is ours; a usage chunk that nobody asked
 * for, upstream comments, events without choices and whatever follows [DONE]
 * are left out; a second finish_reason of a choice becomes null, and its event
 * is left out when it has nothing else; finish_reason "" becomes null, role ""
 * is left out, a null delta becomes {}; where usage came in x_groq alone a
 * usage chunk is added for who asked; on /chat the first event gets a "relevo"
 * member. finish_reason "error" counts as an error event.
 *
 * An event above the maximum goes on in parts, unchanged, as it comes; it
 * counts as content. Bare text has to be read before it can go on: there the
 * maximum is that of a JSON answer, and above it the stream is malformed. */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "chunk.h"
#include "fault.h"
#include "skim.h"
#include "sse.h"

enum reply_mode {
	REPLY_SSE,		/* the client gets an event stream */
	REPLY_TEXT,		/* the bare text; the upstream streams */
	REPLY_JSON		/* one JSON object; no stream upstream */
};

struct reply_spec {
	enum reply_mode	 mode;
	bool		 want_usage;	/* the client asked for its chunk */
	int		 choices;	/* how many were asked for (n), 64 at
					 * most; 0 is 1 */
	const char	*relevo;	/* JSON object for the member "relevo",
					 * or NULL; borrowed */
	size_t		 max_event;	/* bytes of one event */
	size_t		 max_json;	/* bytes of a JSON answer */
};

/* To be read, not written, outside reply.c. */
struct reply {
	struct reply_spec spec;
	struct sse	 sse;
	struct skim	 skim;		/* of an event that goes on in parts */
	bool		 part;		/* such an event is half out: nothing
					 * may come between but reply_break */
	struct buf	 json;		/* a JSON body, while it is collected */
	bool		 is_json;	/* the upstream sends JSON, no events */
	bool		 content;	/* text, reasoning, a tool call, or an
					 * end that accounts for none, was seen
					 * (REPLY_TEXT: text): from here on
					 * there is no way back */
	bool		 finished;	/* every choice asked for has */
	bool		 done;		/* whole: the last byte is in out */
	bool		 failed;	/* fault tells; out got nothing of it */
	struct fault	 fault;
	int		 status;	/* that an error event named, or 0 */
	struct buf	 error;		/* its JSON, for provider_judge */
	int64_t		 prompt;	/* tokens by the usage field; -1 */
	int64_t		 completion;	/* with reasoning; -1 if prompt is */
	int64_t		 bytes;		/* of content, reasoning, arguments */
	uint64_t	 open;		/* choices that began (bit: index); one
					 * beyond 63 has no bit */
	uint64_t	 closed;	/* choices that finished */
	bool		 told;		/* the first event is out */
	bool		 usage_told;	/* a usage field is out */
	char		 id[80];	/* the stream's, for our own chunks: */
	char		 created[24];	/* as between the quotes; "" until */
	char		 model[120];	/* one came */
	struct chunk_shape shape;	/* of the last event of text alone */
};

void	reply_init(struct reply *r, const struct reply_spec *spec);
void	reply_release(struct reply *r);

/* The upstream's head: its Content-Type decides how the body is read. A type
 * that is neither an event stream nor JSON, or an encoded body, sets failed
 * (FAULT_UPSTREAM_MALFORMED). Here and below FAULT_INTERNAL is the gateway's
 * own: memory was out, or out was full. */
void	reply_head(struct reply *r, const char *head, size_t n);

/* Body bytes in; what the client gets is appended to out. Until r->content
 * the caller holds out back, so that it can be dropped. After failed or done
 * bytes are ignored. */
void	reply_feed(struct reply *r, const char *p, size_t n, struct buf *out);

/* The upstream ended. clean: as HTTP says it may. Completes what is whole
 * ([DONE] that the upstream left out, a JSON answer turned into the client's
 * form) and sets done, else sets failed: FAULT_UPSTREAM_EMPTY without content,
 * FAULT_UPSTREAM_CUT without finish_reason. A stream is whole by its
 * finish_reason, clean or not, but for choices asked for that never began: for
 * these it is cut unless it ends clean or with [DONE]. A JSON answer must end
 * clean. */
void	reply_end(struct reply *r, bool clean, struct buf *out);

/* End the event that is half out, if one is, so that another can follow. */
void	reply_break(struct reply *r, struct buf *out);

/* Append the error event that every SDK raises on: data: {"error":...}, after
 * content was sent. For REPLY_SSE only. No [DONE]. */
void	reply_error(const struct fault *f, struct buf *out);

/* Output tokens when the usage field did not come: from the bytes seen. */
int64_t	reply_estimate(const struct reply *r);

/* ---- for reply's own files ---- */

/* Set failed and the fault. */
void	reply_give_up(struct reply *r, enum fault_code code, const char *why);
void	reply_malformed(struct reply *r, const char *why);
/* A buffer is full: by us (FAULT_INTERNAL) when memory was out, else by a
 * provider that sent more than there may be. */
void	reply_full(struct reply *r, bool starved, const char *why);
/* Keep what a chunk tells beside its choices, for the chunk of our own: */
void	reply_absorb(struct reply *r, const struct chunk *c, const char *p);
/* The usage, if the client waits for it and the provider did not send it in the
 * usual place. A guess is not told as a count. */
void	reply_usage(struct reply *r, struct buf *out);
void	reply_empty(struct reply *r);
void	reply_cut(struct reply *r);
/* By the error p[0..n), which c is what was read of. */
void	reply_upstream(struct reply *r, const struct chunk *c, const char *p,
	    size_t n);

#endif
