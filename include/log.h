/* log: one JSON object a line on stderr; secrets never.
 *
 * A line is written by one write(2), so lines of several processes do not
 * mix, and is cut to 4 KiB. It never waits: a line that a full pipe or a full
 * disk does not take whole is lost, and the next one that is written tells how
 * many were ("dropped"). Where stderr is systemd's journal the level stands in
 * front, for journald, which takes it off. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above level are dropped; LOG_INFO at first. */
void	log_level(enum log_level level);

/* Give finished lines, with their newline, to put instead of stderr; it says
 * whether it took the line, else stderr gets it. NULL: stderr again. */
void	log_to(bool (*put)(void *arg, const char *p, size_t n), void *arg);

/* Remember a text that must never appear in a line, nor percent-encoded: a key,
 * a token. Copied. Shorter than 8 bytes is refused (-1): it would blank out
 * ordinary words. */
int	log_secret(const char *secret);

/* Replace every secret in p[0..n) by '*' of the same length, in place; also 8
 * bytes or more of one that the end cuts off. For text of others (an upstream's
 * message) on its way to a client. */
void	log_redact(char *p, size_t n);

/* A line for the operator: {"time","level","event","message"}. event is a
 * fixed word. Foreign bytes in the message are escaped, secrets blanked. */
void	log_msg(enum log_level level, const char *event, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/* A line built member by member: log_open, any number of puts, log_close
 * (which writes it). One at a time; no other log call in between. Values are
 * not searched for secrets: give only words, numbers and ids of ours. */
void	log_open(enum log_level level, const char *event);
void	log_str(const char *name, const char *value);	/* NULL: left out */
void	log_int(const char *name, int64_t value);
void	log_close(void);

#endif
