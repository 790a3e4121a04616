/* budget: how much trying again a request may cost: a share of the traffic,
 * and a share of the time. Pure.
 *
 * When a provider fails, every request that was sent to it comes back and
 * falls upon the others, with the slots of their free tiers. Each lane that
 * fails is barred for a while, which bounds that for one provider; the budget
 * bounds it for all of them together, when it is the network or the request
 * that fails. Counted in each process alone: a worker sees its part of the
 * traffic and of the failures, so the share is the same, and nothing is
 * written for it. */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_PARTS	7		/* of 10 s, the present one included */
#define BUDGET_SHARE	5		/* one in five */
/* A quiet minute has no traffic to take a share of. The default of Finagle's
 * RetryBudget, which set this ratio too, is 10 in a second; three, what one
 * request may need, would leave the second one of that minute unserved. */
#define BUDGET_FREE	10

/* Zeroed: nothing has been seen. */
struct budget {
	struct {
		int64_t	 at;		/* its number since the clock's 0 */
		uint32_t asked, again;
	} part[BUDGET_PARTS];
};

/* A request came. now: steady ms. */
void	budget_asked(struct budget *b, int64_t now);

/* Whether one retry more stays within a fifth of the requests of the last
 * minute, or BUDGET_FREE. */
bool	budget_may(const struct budget *b, int64_t now);

/* A retry was made. */
void	budget_again(struct budget *b, int64_t now);

/* The time that an attempt may take until it gives something, of `left` ms,
 * when `attempts` may come, itself included. At least 1. */
int64_t	budget_share(int64_t left, int64_t attempts);

#endif
