/* provider: the OpenAI dialect and what is known of providers: the outgoing
 * body, verdicts on answers, limits that they told. Tables; pure.
 *
 * Every row of the tables names its source and date, because providers
 * change. */
#ifndef PROVIDER_H
#define PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"
#include "quota.h"

struct buf;
struct chat;
struct config_provider;
struct config_model;

/* Append the body for model m of provider p: the client's bytes with `model`
 * replaced, `stream` set to stream, stream_options.include_usage asked for
 * when it streams (and the provider knows it), and the provider's drop and
 * rename lists done. Everything else byte for byte. 0, or -1 when out is full
 * or memory is out. */
int	provider_body(const struct config_provider *p,
	    const struct config_model *m, const struct chat *c,
	    const char *body, size_t n, bool stream, struct buf *out);

/* Append a body without its top-level member of this name, for PROVIDER_STRIP.
 * 0, or -1 when there is none, body is no object, or out is full. */
int	provider_strip(const char *body, size_t n, const char *member,
	    struct buf *out);

/* What the relay does next. */
enum provider_action {
	PROVIDER_USE,		/* a good head: relay it */
	PROVIDER_NEXT,		/* the next candidate */
	PROVIDER_SAME,		/* this candidate once more, after wait_ms */
	PROVIDER_STRIP,		/* the same, without the member `strip` */
	PROVIDER_LARGER,	/* only one with a larger context */
	PROVIDER_FAIL		/* the request's own fault: tell the client */
};

/* Whom a bar hits, as enum ledger_scope; NONE bars nobody. */
enum provider_scope { PROVIDER_NONE, PROVIDER_LANE, PROVIDER_MODEL,
    PROVIDER_KEY, PROVIDER_ACCOUNT };

struct provider_verdict {
	enum provider_action action;
	enum provider_scope scope;
	enum quota_reason reason;	/* of the bar */
	int64_t	until;			/* wall ms; 0: no bar */
	bool	guess;			/* of a failure: the provider did not
					 * say until when */
	bool	breaker;		/* counts as a failure of the lane */
	int	wait_ms;		/* before PROVIDER_SAME */
	char	strip[64];		/* a member that the request can do
					 * without; the body may lack it */
	const char *row;		/* the row that matched, for the log */
	struct fault fault;		/* what the client hears */
};

/* An answer, or the lack of one. */
struct provider_answer {
	int	 status;		/* 0: none came */
	const char *head;		/* raw header lines or NULL */
	size_t	 head_len;
	const char *body;		/* as much as was read, or NULL */
	size_t	 body_len;
	enum fault_code net;		/* FAULT_NONE, or what went wrong below
					 * HTTP or in the stream; with
					 * UPSTREAM_ERROR body is the error */
};

/* Judge it; first matching row wins. now: wall ms. */
void	provider_judge(const struct config_provider *p,
	    const struct provider_answer *a, int64_t now,
	    struct provider_verdict *v);

/* The limits that a head tells, at most max. Their number. Values that cannot
 * be (negative, not a number, beyond a year) are left out. */
size_t	provider_observe(const struct config_provider *p, const char *head,
	    size_t n, int64_t now, struct quota_seen *seen, size_t max);

#endif
