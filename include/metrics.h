/* metrics: what GET /metrics says, as Prometheus' text (format 0.0.4,
 * prometheus.io/docs/instrumenting/exposition_formats).
 *
 * All of it is read from the ledger, so that any worker and any CGI process
 * says the same. Labels are names of the configuration and words of fixed
 * lists, never anything that a client or a provider sent. */
#ifndef METRICS_H
#define METRICS_H

struct buf;
struct config;
struct ledger;
struct text_time;

#define METRICS_TYPE	"text/plain; version=0.0.4; charset=utf-8"

/* Append all families. 0, or -1: out is full or memory is out. */
int	metrics_put(const struct config *cfg, struct ledger *l,
	    const struct text_time *now, struct buf *out);

#endif
