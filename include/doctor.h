/* doctor: what may stand between a configuration and an answer, looked at from
 * this machine and, given its public URL, from outside; each finding with the
 * mend. It changes nothing, and spends at most one request: the one that shows
 * whether a stream arrives as it is made.
 *
 * For the command line: it blocks, for some 10 s at most in each of its parts,
 * and prints as it goes. */
#ifndef DOCTOR_H
#define DOCTOR_H

struct config;
struct probes;

struct doctor {
	const struct config	*cfg;
	struct probes		*probes;
	const char		*url;	/* no slash at its end; NULL: none */
	const char		*token;	/* a client's, for url; NULL: none */
	const char		*socket; /* path; NULL: none given */
	int			 failed, warned;
};

/* All examinations. 0 when none failed, 1 otherwise. */
int	doctor(struct doctor *d);

/* One finding, a line on stdout: about what, in which state, and with a mend
 * (NULL: none) below it. Bytes of others in it are printed as '?' when they
 * could act on a terminal. */
enum doctor_grade { DOCTOR_OK, DOCTOR_SKIP, DOCTOR_WARN, DOCTOR_FAIL };
void	doctor_tell(struct doctor *d, enum doctor_grade grade,
	    const char *what, const char *mend, const char *fmt, ...)
	    __attribute__((format(printf, 5, 6)));

/* Of doctor: the keys at their providers, and what d->url shows. */
void	doctor_keys(struct doctor *d);
void	doctor_url(struct doctor *d);

#endif
