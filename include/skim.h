/* skim: what a JSON text too large to be held says, but for its long strings:
 * the same text with their ends left out, so that the scanner can read it. It
 * is as valid as the text was, apart from the bytes left out, which are not
 * looked at. Pure; never blocks. */
#ifndef SKIM_H
#define SKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define SKIM_STRING	256	/* bytes of a string that are kept at least */

struct skim {
	struct buf	 text;		/* failed: it has too many short ones */
	int64_t		 left;		/* bytes left out, escapes unresolved */
	bool		 string;	/* inside of one */
	bool		 dropping;	/* its end is being left out */
	bool		 high;		/* after half of a surrogate pair */
	unsigned char	 escape;	/* bytes of an escape so far, 0: none */
	char		 hex;		/* its first digit */
	size_t		 run;		/* bytes of the string so far */
};

/* max: bytes of what is kept. */
void	skim_init(struct skim *s, size_t max);
void	skim_release(struct skim *s);

/* Forget all of it. */
void	skim_clear(struct skim *s);

/* Take p[0..n) in; the result does not depend on how a text is cut. */
void	skim_put(struct skim *s, const char *p, size_t n);

#endif
