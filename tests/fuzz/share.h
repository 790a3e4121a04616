/* share: which inputs get a check that costs more than all the others. */
#ifndef SHARE_H
#define SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this is one of about `of` inputs. By a hash (FNV-1a), so an input is
 * always or never; and not by bits of the input itself, which a corpus could
 * settle on. What fails fails in the neighbours of an input, too, of which the
 * fuzzer makes thousands, and each of them is drawn anew: with runs at hand to
 * make up for the share, no fault is less likely to be found. */
static inline bool
share(const uint8_t *p, size_t n, uint32_t of)
{
	uint32_t h = UINT32_C(2166136261);

	while (n-- > 0)
		h = (h ^ *p++) * UINT32_C(16777619);
	return (h ^ h >> 16) % of == 0;
}

#endif
