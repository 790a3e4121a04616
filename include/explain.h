/* explain: why a request would go where it goes: the candidates in order, each
 * with its reason, until when, and the ledger's figures behind it. Made by the
 * same walk as the real request's (seek), with nothing taken: on a ledger that
 * stands still it names the model that the request then gets. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct chat;
struct config;
struct config_alias;
struct ledger;
struct text_time;

struct explain {
	const struct config *cfg;
	struct ledger *ledger;
	const struct config_alias *alias;
	const struct chat *chat;	/* model, needs and sizes are used */
	size_t	 client;		/* or LEDGER_NOBODY; lanes that it may
					 * not use are left out */
	const struct text_time *now;
	uint64_t chance;		/* for the strategy `random` */
};

/* A question of `tokens` (0: the least) that needs nothing. */
void	explain_plain(struct chat *c, const char *model, int64_t tokens);

/* Append one JSON object, or a table for people. 0, or -1: out is full or
 * memory is out. */
int	explain_json(const struct explain *e, struct buf *out);
int	explain_text(const struct explain *e, struct buf *out);

#endif
