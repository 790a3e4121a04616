#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/handover.c"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define BODY	(8 * 1024 * 1024)	/* more than a socket holds */

/* In a process of its own, for it has a stdout and signals: gives BODY bytes
 * to fd; its status is what came of it. */
static void
give_over(int fd, int out)
{
	static char body[BODY];
	char *envp[] = { (char []){ "REQUEST_METHOD=POST" }, NULL };
	struct handover_ask ask = { envp, body, sizeof(body), 5000, 5000 };

	if (dup2(out, STDOUT_FILENO) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		_exit(99);
	_exit((int)handover(fd, &ask));
}

/* What comes of a responder that says this and goes, before it has read the
 * question; text is what was written. */
static enum handover
with(const unsigned char *said, size_t n, char *text, size_t size)
{
	int pair[2], out[2], status;
	size_t len = 0;
	ssize_t k;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pair[1]);
		give_over(pair[0], out[1]);
	}
	close(pair[0]);
	close(out[1]);
	assert_int_equal(write(pair[1], said, n), n);
	/* Until it is taken, or what was said would be lost with the rest. */
	if (n > RECORD_HELLO_LEN)
		len = (size_t)read(out[0], text, size - 1);
	close(pair[1]);
	while ((k = read(out[0], text + len, size - 1 - len)) > 0)
		len += (size_t)k;
	text[len] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (enum handover)WEXITSTATUS(status);
}

static void
goes_while_it_is_asked(void **state)
{
	static const unsigned char early[] = "\1\12\0\0\0\0\0\0"
	    "\1\6\0\1\0\5\0\0" "half ";
	char text[100];

	(void)state;
	assert_memory_equal(early, record_hello, RECORD_HELLO_LEN);
	/* nothing was written: it can be served by another */
	assert_int_equal(with(early, RECORD_HELLO_LEN, text, sizeof(text)),
	    HANDOVER_NOT);
	assert_string_equal(text, "");
	/* a second answer would follow half a first one */
	assert_int_equal(with(early, sizeof(early) - 1, text, sizeof(text)),
	    HANDOVER_DONE);
	assert_string_equal(text, "half \n[relevo: the answer was cut "
	    "short]\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_while_it_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
