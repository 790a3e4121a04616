/* ledger: what the mock has seen, the gates, and the scripts that tests have
 * installed. requests = completed + aborted + inflight, always. */
#ifndef MOCK_LEDGER_H
#define MOCK_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blob.h"
#include "http.h"

#define LEDGER_RECORDS	2000
#define LEDGER_RAWS	20

struct model {
	struct model *next;
	char	*name;
	int64_t	 epoch;		/* of the ledger when last used */
	int64_t	 requests, inflight, peak, completed, aborted, stale, tokens;
};

struct record {
	int64_t	 ms;		/* wall clock */
	struct model *model;
	char	 key[5];	/* the credential's last four */
	char	 id[72];	/* x-request-id */
	size_t	 body;
	char	 end;		/* 'i'n flight, 'c'ompleted, 'a'borted */
};

struct raw {
	struct model *model;
	struct blob bytes;
};

struct gate {
	struct gate *next;
	char	*name;
	int64_t	 open;		/* chunks 1..open may go */
};

struct rule {
	struct rule *next;
	bool	 by_key;
	char	*name;		/* a model, or a credential's last four */
	char	*text;
	int64_t	 times;		/* -1: until it is removed */
};

struct ledger {
	struct model *models;
	struct gate *gates;
	struct rule *rules;
	struct record *records;		/* LEDGER_RECORDS, by seq */
	struct raw raws[LEDGER_RAWS];
	int64_t	 seq;			/* requests since the start */
	int64_t	 base;			/* seq at the last reset */
	int64_t	 epoch;			/* resets so far, from 1 */
	int64_t	 connections, open;	/* that carried a provider request */
	bool	 changed;		/* a counter moved: look at waiters */
};

/* One request in the books; its connection keeps it. */
struct entry {
	struct model *model;
	int64_t	 seq, epoch;
};

void	ledger_init(struct ledger *l);
void	ledger_free(struct ledger *l);

/* The model of that name, made if new. Lives until ledger_free. */
struct model *ledger_model(struct ledger *l, const char *name, size_t n);

void	ledger_begin(struct ledger *l, struct entry *e, struct model *m,
	    const struct request *r);
void	ledger_token(struct ledger *l, struct entry *e);
/* The request is over; takes an entry without a model. */
void	ledger_end(struct ledger *l, struct entry *e, bool aborted);
/* A request that was dropped unseen, on a used connection. */
void	ledger_stale(struct ledger *l, struct model *m);

/* Forget counters, records, gates and rules; requests in flight are not
 * counted in the new epoch. */
void	ledger_reset(struct ledger *l);

/* A counter by name, of one model or of all (NULL); -1: no such counter. */
int64_t	ledger_count(const struct ledger *l, const char *model,
	    const char *what);

void	ledger_stats(const struct ledger *l, struct blob *out);
/* One JSON line a request, oldest first; model NULL: all. */
void	ledger_log(const struct ledger *l, const char *model,
	    struct blob *out);
/* The back-th last raw request (0: the last); false: not there any more. */
bool	ledger_last(const struct ledger *l, const char *model, int64_t back,
	    struct blob *out);

int64_t	ledger_gate(const struct ledger *l, const char *name);
void	ledger_gate_set(struct ledger *l, const char *name, int64_t open);

/* Install a rule. With times > 0 it serves that many requests, before any
 * lasting rule and after the counted ones already there; a lasting rule (-1)
 * replaces all of that name. */
void	ledger_rule(struct ledger *l, bool by_key, const char *name,
	    struct span text, int64_t times);
void	ledger_rule_drop(struct ledger *l, bool by_key, const char *name);
/* The rule that applies now, used up by one; the text or NULL. The text is
 * valid until the next call. */
const char *ledger_rule_use(struct ledger *l, bool by_key, const char *name);

/* The last four characters of a request's credential. */
void	ledger_key(const struct request *r, char out[5]);

#endif
