/* env: keys into the environment, from `.env` and from credentials.
 *
 * `.env` has lines NAME=value:
 *
 *	# comment
 *	export GROQ_API_KEY=gsk_...	# the word export may stand there
 *	TITLE="a b\n\"c\""		# \n \t \" \\ in double quotes
 *	RAW='$as it is'
 *
 * Nothing is expanded or executed. What the environment has already, even
 * empty, wins. May block on the file. */
#ifndef ENV_H
#define ENV_H

#include <stddef.h>

struct buf;

/* Read path and set what it names. No such file is no error. Broken lines are
 * told as "file:line: text" in errors, and the sound ones are set all the
 * same. A file that others may read or write (file_exposed) is refused whole.
 * 0, or -1 when anything was wrong. */
int	env_path(const char *path, struct buf *errors);

/* The same for text that is already here. */
int	env_text(const char *path, const char *p, size_t n,
	    struct buf *errors);

/* Each file of a folder is a variable of its name, its text the value, without
 * the newline at its end: how systemd hands over credentials (systemd.exec(5),
 * CREDENTIALS_DIRECTORY). Files whose name is none of a variable are passed
 * over; dir NULL: nothing. Otherwise as env_path, but for who may read. */
int	env_folder(const char *dir, struct buf *errors);

/* Make the environment again what it was at the first call of this, without
 * what `.env` brought since: before each load, so that a reload takes what the
 * file says now. 0, or -1 out of memory. */
int	env_restore(void);

#endif
