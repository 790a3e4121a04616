/* args: what a command line says, against a row that tells what it may say.
 *
 * Options may stand anywhere before a "--", with their value behind them or
 * behind a "=" ("--tokens 5", "--tokens=5"; "-n5" too); at most one operand.
 * Pure. */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

#define ARGS_OPTIONS	3

struct args_option {
	const char	*word;		/* "--json", "-d"; NULL: no more */
	const char	*value;		/* what it takes, "N"; NULL: nothing */
	const char	*what;		/* for people */
	bool		 needed;
};

struct args_row {
	const char	*name;		/* "usage", "state reset" */
	const char	*operand;	/* "NAME"; "[NAME]": may be missing;
					 * NULL: none */
	const char	*what;		/* for people, in a line */
	const char	*more;		/* lines for its help, or NULL */
	struct args_option options[ARGS_OPTIONS];
};

/* Words of argv, borrowed. */
struct args {
	const struct args_row *row;
	const char	*value[ARGS_OPTIONS];	/* "" for a switch that is on;
						 * NULL: not given */
	const char	*operand;		/* NULL: not given */
	bool		 help;			/* --help or -h: nothing else
						 * was looked at */
};

/* Read the n words at word. 0, or -1 with a sentence in why. */
int	args_read(struct args *a, const struct args_row *row, int n,
	    char *const *word, struct buf *why);

/* The value of an option of the row; NULL if it was not given. */
const char *args_value(const struct args *a, const char *option);

/* Append "NAME [--option VALUE] OPERAND". */
void	args_usage(const struct args_row *row, struct buf *out);

/* Append a line for each option, and the row's text. */
void	args_help(const struct args_row *row, struct buf *out);

/* Whether a person who typed word may have meant the other: a slip or two of
 * the fingers, or its beginning. */
bool	args_near(const char *word, const char *meant);

#endif
