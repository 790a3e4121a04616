/* control: what the tests ask of the mock itself, below /_mock/. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "http.h"
#include "ledger.h"

struct waiter {
	char	 model[256];	/* "": all models */
	char	 what[16];
	int64_t	 count, ms;
};

enum control { CONTROL_DONE, CONTROL_WAIT };

/* Append the whole answer to out. CONTROL_WAIT: nothing yet, w says for what;
 * the connection answers once control_ready, or 408 after w->ms. */
enum control control_answer(struct ledger *l, const struct request *r,
	    struct waiter *w, struct blob *out);

bool	control_ready(const struct ledger *l, const struct waiter *w);

#endif
