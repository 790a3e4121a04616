/* raw: a value of the configuration as it is written, quotes and ${} kept:
 * what it takes from the environment, and what it says itself. */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stddef.h>

/* The name in the first ${NAME} of raw, one that has no default, for which
 * the environment has nothing (or nothing but ""); copied into out. False
 * when there is none. */
bool	raw_missing(const char *raw, char *out, size_t size);

/* Take those of its variables that have a default and are empty out of the
 * environment: libconfuse has the default for an unset one only, but a shell
 * for both, and a container's variables are empty rather than not there. */
void	raw_unset_empty(const char *raw);

/* Whether raw holds text of its own beside ${NAME} (a default counts). */
bool	raw_literal(const char *raw);

#endif
