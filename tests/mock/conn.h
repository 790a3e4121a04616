/* conn: the connections of the mock and the one loop that serves them. */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blob.h"
#include "ledger.h"
#include "timer.h"

struct conn;

struct mock {
	const char *fixtures;	/* folder, or NULL */
	const char *fallback;	/* --default, or NULL */
	struct blob models;	/* the body of GET /models */
	struct ledger ledger;
	struct timers timers;
	struct conn **table;	/* by descriptor */
	size_t	 ntable;
	struct conn *grave;	/* closed in this batch, freed at its end */
	struct blob io;		/* every connection's bytes pass here */
	size_t	 waiting;
	bool	 poke;		/* a gate was moved */
	long long ids;
	int	 ep;
};

/* Take all that wait on the listener. */
void	conn_accept(struct mock *m, int listener);
void	conn_event(struct mock *m, int fd, uint32_t events);
/* Wake what is due. */
void	conn_timers(struct mock *m);
/* The end of a batch: gates, waiters, and the dead. */
void	conn_batch(struct mock *m);
void	conn_free_all(struct mock *m);

#endif
