/* report: what /models, /usage, /health and / say, as JSON. Reads the ledger;
 * changes nothing. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct config;
struct config_client;
struct json_out;
struct ledger;
struct quota_row;
struct text_time;

struct report {
	const struct config *cfg;
	struct ledger *ledger;
	const struct text_time *now;
	char *const *allowed;		/* the asking client's patterns, or
					 * NULL: models beyond are not named */
	const struct config_client *own; /* of clients only this one is shown;
					 * NULL: all */
	bool history;			/* usage: by hour and by day, too */
};

/* Parts, for explain: a wall time or null, and the members of one window. */
void	report_time(struct json_out *w, const char *name, int64_t wall);
void	report_window(struct json_out *w, const struct quota_row *q);

/* Append one JSON object each. 0, or -1 when out is full. */
int	report_root(const struct report *r, struct buf *out);
int	report_models(const struct report *r, struct buf *out);
int	report_usage(const struct report *r, struct buf *out);

/* streams: chats under way in this process. */
int	report_health(const struct report *r, size_t streams, struct buf *out);

/* OpenAI's list, and one of its objects: -1 also when there is no such
 * model. */
int	report_openai(const struct report *r, struct buf *out);
int	report_openai_one(const struct report *r, const char *name,
	    struct buf *out);

#endif
