/* ledger_own: what the parts of ledger share, and nobody else. */
#ifndef LEDGER_OWN_H
#define LEDGER_OWN_H

#include <stdint.h>

#include "book.h"
#include "quota.h"

/* What one scope adds to the views of all its lanes, asked once a call. */
struct memo {
	uint64_t call;
	struct quota_view v;
};

struct ledger {
	struct book b;
	struct memo *memo;		/* of a scope, within one view */
	uint64_t call;
};

#endif
