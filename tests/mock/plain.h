/* plain: whole answers that are no chat, and the words for a status. */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "script.h"

const char *plain_reason(int64_t status);

/* A small answer with a length. */
void	plain_answer(struct blob *o, int status, const char *type,
	    const char *body, size_t n, bool keep);

/* The error object of a provider for that status; s may replace its words. */
void	plain_error(struct blob *o, int64_t status, const struct script *s);

/* "name":"value", escaped. */
void	plain_string(struct blob *o, const char *name, const char *value);

/* A file of dir, NAME or NAME.http: a whole HTTP response, as it is. A 500 in
 * its place if there is none. */
void	plain_fixture(struct blob *o, const char *dir, const char *name);

#endif
