/* wide: sixteen bytes at once, by the vector types of gcc and clang, which
 * become SSE2 or NEON. A comparison of lanes gives 0xff or 0 in each. */
#ifndef WIDE_H
#define WIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char wide __attribute__((vector_size(16)));
typedef signed char wide_signed __attribute__((vector_size(16)));

static inline wide
wide_load(const void *p)
{
	wide v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Whether the top bit of a lane is set. */
static inline bool
wide_any(wide v)
{
#ifdef __SSE2__
	typedef char chars __attribute__((vector_size(16)));

	return __builtin_ia32_pmovmskb128((chars)v) != 0;
#else
	uint64_t w[2];

	memcpy(w, &v, sizeof(w));
	return ((w[0] | w[1]) & 0x8080808080808080ULL) != 0;
#endif
}

#endif
