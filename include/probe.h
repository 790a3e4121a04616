/* probe: a few HTTP calls at once, waited for. For commands that look at the
 * world and tell: what serves requests must not wait, and uses fetch. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "fetch.h"

struct json_tree;
struct probes;

#define PROBE_BODY	(4 * 1024 * 1024)	/* more is cut off */

/* One call and what came of it. The caller's; zeroed, then probe_start fills
 * it, and probe_release empties it whatever it is in. */
struct probe {
	int		 status;	/* 0: no answer */
	struct buf	 head, body;
	enum fetch_result result;
	char		 detail[256];	/* why there is none */
	int64_t		 began, first, ended;	/* steady ms; first body byte */
	int64_t		 last;		/* when the last piece began */
	int		 pieces;	/* of the body, 10 ms or more apart */
	bool		 busy;
	struct probes	*in;
	struct fetch	*fetch;
};

/* Starts curl. NULL: out of memory. probes_free takes NULL, and comes after
 * all its probes were released. */
struct probes *probes_new(void);
void	probes_free(struct probes *ps);

/* Call spec: a GET, or with body a POST; body is borrowed until it ended. 0,
 * or -1 out of memory (p then tells so, and needs no waiting). */
int	probe_start(struct probes *ps, struct probe *p,
	    const struct fetch_spec *spec, const char *body);
void	probe_release(struct probe *p);

/* Wait for all that were started, at most ms; what has not ended then is cut
 * off as FETCH_TIMEOUT. Blocks. */
void	probes_wait(struct probes *ps, int ms);

/* The body as a tree, to be freed by json_free; NULL: it is no JSON. */
struct json_tree *probe_json(const struct probe *p);

/* The value of a header of the answer, trimmed, its length in n; NULL: the
 * answer does not have it. */
const char *probe_header(const struct probe *p, const char *name, size_t *n);

#endif
