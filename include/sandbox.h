/* sandbox: a process gives up for ever what it has no need of.
 *
 * By Landlock (Linux 5.13; connections from 6.7), without a library and as far
 * as the running kernel knows it. What is left: to read system libraries,
 * certificates and what the resolver reads; to read and write the state's
 * folder; to connect by TCP to the ports of the providers and the proxy and to
 * DNS. No program is started, no other file opened, no port bound. What is
 * open already stays open.
 *
 * A seccomp filter beside it was weighed and refused: a list of what curl,
 * OpenSSL and the C library may call is wrong with their next version, and of a
 * list of what they may not, Landlock leaves little (it has no right to execute
 * a file, and holds ptrace to the same sandbox). */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct config;

struct sandbox {
	int	 abi;			/* of the kernel's Landlock; 0: none */
	const char *why;		/* it is not on; NULL: it is */
	const char *folder;		/* of the state; "/x/" of "/x/state" */
	size_t	 folder_len;
	const char *ca_path;
	unsigned opens;			/* bits: which files could be opened */
};

/* Restrict this thread and what it starts from now on, as cfg (borrowed) needs
 * it: call it before there are other threads, with no_new_privs set. Nothing
 * is restricted where s->why says so. Blocks for files. */
void	sandbox_enter(struct sandbox *s, const struct config *cfg);

/* Whether a file that could be opened when the sandbox was entered is refused
 * now: a rule is for the file that was there, and another one stands in its
 * place (a new resolv.conf). Only a process that is not in this sandbox yet can
 * have the new one. */
bool	sandbox_outgrown(const struct sandbox *s);

#endif
