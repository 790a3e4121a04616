/* answer: a provider's answer, made step by step from a script. It writes
 * bytes and says what comes next; it knows no sockets and no clock. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "ledger.h"
#include "script.h"

/* What the connection has to do once the bytes so far are sent. */
enum next {
	NEXT_GO,	/* ask for more */
	NEXT_WAIT,	/* ask for more after answer.wait */
	NEXT_HOLD,	/* ask again when a gate was moved */
	NEXT_SILENT,	/* nothing more, ever */
	NEXT_KEEP,	/* whole; the connection may be used again */
	NEXT_FIN,	/* close it */
	NEXT_RST	/* reset it */
};

enum phase {
	PHASE_START, PHASE_HEAD, PHASE_OPEN, PHASE_COMMENTS, PHASE_UNITS,
	PHASE_FINISH, PHASE_DONE, PHASE_END
};

struct answer {
	struct script s;
	struct entry entry;
	enum phase phase;
	int64_t	 wait;		/* microseconds, with NEXT_WAIT */
	int64_t	 sent, total;	/* units: reasoning, tool or text deltas */
	long long asked;	/* when the question came, for `date` */
	const char *rest;	/* of s.text */
	bool	 stream, chunked, keep, want_usage;
	const struct blob *plain; /* the body, for what is no chat */
	struct blob pre;	/* an event up to its "choices":[ */
	size_t	 chunk;		/* where the open chunk began in out */
	size_t	 head_n;	/* bytes of the response head */
};

/* What an answer starts from; s and entry are already set in a. */
struct question {
	const char *model;
	const struct blob *plain;	/* the body, for what is no chat */
	bool	 stream, usage, keep;
	long long id, now;
};

void	answer_open(struct answer *a, const struct question *q);

/* Append the next bytes to out. fixtures may be NULL. */
enum next answer_step(struct answer *a, struct ledger *l,
	    const char *fixtures, struct blob *out);

void	answer_free(struct answer *a);

#endif
