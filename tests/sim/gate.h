/* gate: a provider's own rule, as it enforces it: a rolling minute, a token
 * bucket, or a day. Written apart from the ledger's windows, to judge them.
 *
 * Each keeps two accounts. TRUE is what it admitted. ALSO adds what was
 * refused to a client by mistake: what the gate would have admitted, had it
 * been asked, one slot for each such request. */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATE_DAYS	3		/* that a simulated day may touch */

enum gate_kind { GATE_END, GATE_MINUTE, GATE_BUCKET, GATE_DAY };
enum gate_account { GATE_TRUE, GATE_ALSO, GATE_ACCOUNTS };

struct gate_use {
	int64_t	at, n;
};

struct gate_state {
	struct gate_use *uses;		/* of the minute, oldest first */
	size_t	 first, end, room;
	int64_t	 sum;
	double	 level;			/* of the bucket */
	int64_t	 filled;		/* when it was at that level */
};

struct gate {
	enum gate_kind kind;
	bool	 tokens;
	int64_t	 max;
	int64_t	 zone;			/* ms that the day begins after UTC's */
	struct gate_state state[GATE_ACCOUNTS];
	int64_t	 day[GATE_ACCOUNTS][GATE_DAYS];
};

void	gate_free(struct gate *g);

/* 0: admits n now; else in how many ms it will, INT64_MAX: never. t counts
 * from 00:00 UTC of the day and never goes back. */
int64_t	gate_wait(struct gate *g, enum gate_account a, int64_t t, int64_t n);

/* n more, or less (a refund, of what was used at `at`). */
void	gate_use(struct gate *g, enum gate_account a, int64_t t, int64_t n);
void	gate_refund(struct gate *g, enum gate_account a, int64_t at,
	    int64_t n);

/* The part of what was refused by mistake on the day of t that was still there
 * when the day ended: 1 for rules that are no day. */
double	gate_wasted(const struct gate *g, int64_t t);

#endif
