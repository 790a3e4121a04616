/* fail: the page by which faults.c tells a relevo that was linked with fail.c
 * which of its calls is to fail, and learns how many there were. */
#ifndef FAIL_H
#define FAIL_H

#include <stdatomic.h>

#define FAIL_FILE	"RELEVO_FAIL"	/* the environment names the file */

struct fail_page {
	_Atomic int	call;		/* index of fail.c's list; -1: none */
	_Atomic int	error;		/* errno; 0: a short read, write */
	_Atomic long	at;		/* which one fails, from 1 on */
	_Atomic long	seen;		/* calls since it was armed */
	_Atomic int	on;		/* from `at` on, all of them: 2 */
};

#endif
