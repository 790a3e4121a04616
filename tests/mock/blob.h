/* blob: growing bytes for the mock. Out of memory ends the process: this is
 * a tool for tests, and a test wants that loud. */
#ifndef BLOB_H
#define BLOB_H

#include <stddef.h>

struct blob {
	char	*p;
	size_t	 n, cap;
};

/* Room for more bytes behind n; the result is where they go. */
char	*blob_room(struct blob *b, size_t more);
void	 blob_put(struct blob *b, const void *p, size_t n);
void	 blob_str(struct blob *b, const char *s);
void	 blob_fill(struct blob *b, char c, size_t n);
void	 blob_num(struct blob *b, long long v);
void	 blob_fmt(struct blob *b, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* The inside of a JSON string: quotes, backslashes and controls escaped. */
void	 blob_json(struct blob *b, const char *p, size_t n);
/* Drop the first n bytes; a store that has grown past keep is given back
 * once it is empty. */
void	 blob_drop(struct blob *b, size_t n, size_t keep);
void	 blob_free(struct blob *b);

#endif
