#include "worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "config.h"
#include "fault.h"
#include "front_cgi.h"
#include "front_fcgi.h"
#include "handover.h"
#include "ledger.h"
#include "linger.h"
#include "log.h"
#include "loop.h"
#include "relay.h"
#include "sandbox.h"
#include "segment.h"
#include "text.h"

#define WORKER_TICK_MS	1000
#define WORKER_LAST_MS	1000	/* to send that they are cut; less than
				 * the supervisor's grace */
#define WORKER_PATIENCE	2000	/* ms for the responder that lingers */
#define WORKER_LOOK	5	/* ticks between looks at the sandbox */
#define WORKER_REST	10	/* ticks without a chat, then memory goes */
#define WORKER_HEAP	(8 * 1024 * 1024)	/* free memory that is kept */
#define WORKER_MMAP	(1024 * 1024)	/* an allocation of its own pages */

struct worker {
	const struct config	*cfg;
	struct loop		*loop;
	struct ledger		*ledger;
	struct relays		*relays;
	struct api		*api;
	struct front		*front;
	struct loop_io		 signals;
	struct loop_timer	 tick;
	struct loop_timer	 deadline;
	struct sandbox		 sandbox;
	unsigned		 ticks;
	int			 listen;
	pid_t			 parent;	/* the supervisor */
	pid_t			 web;		/* what started it, or 0 */
	const char		*path;		/* of one that lingers */
	struct stat		 own;		/* that socket */
	int64_t			 used;		/* steady ms */
	int			 rest;		/* ticks without a chat */
};

/* glibc gives free memory at the heap's end back from 128 KB on, and large
 * blocks at once: under load that is for each chat, and it is cleared and
 * mapped anew for the next, 10 to 80 page faults when the body is large. So it
 * is kept, until there was nothing to do for a while. */
static void
memory_keep(void)
{
#ifdef M_TRIM_THRESHOLD
	(void)mallopt(M_TRIM_THRESHOLD, WORKER_HEAP);
	(void)mallopt(M_MMAP_THRESHOLD, WORKER_MMAP);
#endif
}

static void
memory_rest(struct worker *w)
{
	if (relays_live(w->relays) > 0)
		w->rest = 0;
	else if (++w->rest == WORKER_REST) {
		w->rest = 0;
#ifdef M_TRIM_THRESHOLD
		(void)malloc_trim(0);
#endif
	}
}

static void
drained(void *arg)
{
	struct worker *w = arg;

	loop_stop(w->loop);
}

/* A chat that is cut says so: a web server takes the plain end of a connection
 * for the answer's own. */
static void
on_deadline(struct loop_timer *t)
{
	struct worker *w = LOOP_OWNER(t, struct worker, deadline);
	size_t n = relays_live(w->relays);

	if (n == 0 || loop_timer_set(w->loop, t, loop_now(w->loop) +
	    WORKER_LAST_MS) != 0) {
		loop_stop(w->loop);
		return;
	}
	log_msg(LOG_WARN, "drain_time", "chats that did not end within "
	    "drain-time and were cut: %zu", n);
	front_fcgi_stop(w->front);
}

/* Not shutdown(2), which would end it for who gave it to us too; and the number
 * stays taken, for it may be 0. */
static void
let_go(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	(void)dup2(null, fd);
	close(null);
}

/* Whether the socket of the name is the one that we listen on. */
static bool
at_home(const struct worker *w)
{
	struct stat st;

	return lstat(w->path, &st) == 0 && st.st_ino == w->own.st_ino &&
	    st.st_dev == w->own.st_dev;
}

static void
finish(struct worker *w)
{
	if (w->deadline.place != 0)
		return;
	(void)loop_timer_set(w->loop, &w->deadline,
	    loop_now(w->loop) + w->cfg->drain_ms);
	if (w->path != NULL && at_home(w))
		(void)unlink(w->path);
	front_fcgi_drain(w->front, drained, w);
	/* None of us must look as if it still listened: a web server that
	 * starts a successor first asks the socket. */
	let_go(w->listen);
}

static void
on_signal(struct loop_io *io, unsigned events)
{
	struct signalfd_siginfo si;

	(void)events;
	while (read(io->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		;
	finish(LOOP_OWNER(io, struct worker, signals));
}

/* Outgrown, it can only be had anew: by a worker that the supervisor makes. */
static void
look_out(struct worker *w)
{
	if (++w->ticks % WORKER_LOOK != 0 || w->deadline.place != 0 ||
	    !sandbox_outgrown(&w->sandbox))
		return;
	if (w->path != NULL)
		finish(w);	/* the next CGI leaves another */
	if (w->path != NULL || getppid() != w->parent)
		return;
	log_msg(LOG_INFO, "sandbox_outgrown", "a file that workers read was "
	    "replaced: new ones are made, which see the new one");
	(void)kill(w->parent, SIGUSR2);
}

static void
on_tick(struct loop_timer *t)
{
	struct worker *w = LOOP_OWNER(t, struct worker, tick);
	struct text_time now;

	text_clock(&now);
	ledger_tick(w->ledger, &now);
	(void)loop_timer_set(w->loop, t, loop_now(w->loop) + WORKER_TICK_MS);
	look_out(w);
	memory_rest(w);
	/* An orphan under lighttpd goes on (see supervise.c), as long as
	 * lighttpd does. */
	if (w->web != 0 && getppid() != w->parent && kill(w->web, 0) != 0)
		finish(w);
	if (w->path == NULL)
		return;
	if (front_fcgi_used(w->front))
		w->used = now.mono;
	if (now.mono - w->used >= w->cfg->linger_ms || !at_home(w))
		finish(w);
}

/* All files of ours are open, and curl has no thread yet. */
static void
shut_in(struct worker *w)
{
	if (w->cfg->sandbox)
		sandbox_enter(&w->sandbox, w->cfg);
	else
		w->sandbox.why = "sandbox = no";
}

static void
log_sandbox(const struct sandbox *s)
{
	if (s->why != NULL)
		log_msg(LOG_INFO, "sandbox", "none: %s", s->why);
	else
		log_msg(LOG_INFO, "sandbox", "a worker reads the system's "
		    "files only, writes in %.*s, starts nothing%s (Landlock "
		    "version %d)", (int)s->folder_len, s->folder, s->abi < 4 ?
		    "" : ", connects to the ports of providers, proxy and DNS",
		    s->abi);
}

static int
worker_open(struct worker *w, const struct config *cfg)
{
	struct text_time now;

	w->cfg = cfg;
	w->signals.fd = -1;
	log_level(cfg->debug ? LOG_DEBUG : LOG_INFO);
	text_clock(&now);
	w->loop = loop_new();
	w->ledger = ledger_open(cfg, &now);
	if (w->loop == NULL || w->ledger == NULL)
		return -1;
	if (ledger_health(w->ledger) != NULL)
		log_msg(LOG_WARN, "state_memory", "%s",
		    ledger_health(w->ledger));
	w->relays = relays_new(w->loop, cfg, w->ledger);
	if (w->relays == NULL)
		return -1;
	w->api = api_new(cfg, w->ledger, w->relays);
	return w->api == NULL ? -1 : 0;
}

static void
worker_close(struct worker *w)
{
	front_fcgi_free(w->front);
	api_free(w->api);
	relays_free(w->relays);
	ledger_close(w->ledger);
	if (w->signals.fd >= 0)
		close(w->signals.fd);
	loop_free(w->loop);
}

static int
worker_signals(struct worker *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	w->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->signals.ready = on_signal;
	return w->signals.fd < 0 ? -1 :
	    loop_watch(w->loop, &w->signals, EPOLLIN);
}

static int
serve(struct worker *w, const struct config *cfg)
{
	int rc = 1;

	w->tick.fire = on_tick;
	w->deadline.fire = on_deadline;
	memory_keep();
	if (worker_open(w, cfg) != 0 || worker_signals(w) != 0)
		goto out;
	shut_in(w);
	log_sandbox(&w->sandbox);
	ledger_aside(w->ledger);
	relays_warm(w->relays);
	w->front = front_fcgi_new(w->loop, cfg, w->api, w->listen,
	    w->path != NULL ? linger_welcome : NULL);
	if (w->front == NULL || loop_timer_set(w->loop, &w->tick,
	    loop_now(w->loop) + WORKER_TICK_MS) != 0)
		goto out;
	if (w->path != NULL)
		log_to(front_fcgi_log, w->front);
	segment_drop();
	rc = loop_run(w->loop) == 0 ? 0 : 1;
out:
	if (rc != 0)
		log_msg(LOG_ERROR, "worker", "a worker could not go on");
	log_to(NULL, NULL);
	worker_close(w);
	return rc;
}

int
worker_fcgi(const struct config *cfg, int fd, pid_t web)
{
	struct worker w = { .listen = fd, .parent = getppid(), .web = web };

	return serve(&w, cfg);
}

/* ---- CGI ---- */

/* In the process that stays (linger_start). */
static int
linger(const struct config *cfg, int fd, const char *path)
{
	struct worker w = { .listen = fd, .path = path };
	struct text_time now;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	text_clock(&now);
	w.used = now.mono;
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    lstat(path, &w.own) != 0)
		return 1;
	log_msg(LOG_INFO, "linger", "process %d stays, to answer at %s",
	    (int)getpid(), path);
	return serve(&w, cfg);
}

/* Whether the request was answered by the responder that lingers. */
static bool
hand_over(const struct config *cfg, struct front_request *rq, const char *path)
{
	struct handover_ask ask = { environ, rq->body.data, rq->body.len,
	    WORKER_PATIENCE, cfg->stall_ms };
	int fd = linger_connect(path);
	enum handover how;

	if (fd < 0)
		return false;
	how = handover(fd, &ask);
	close(fd);
	/* A question is not asked a second time: the first may be paid for. */
	if (how == HANDOVER_LOST && rq->http.method == HTTP_POST)
		fault_set(&rq->fault, FAULT_INTERNAL, NULL, "the process that "
		    "had this question ended before it answered");
	return how == HANDOVER_DONE;
}

int
worker_cgi(const struct config *cfg)
{
	char path[LINGER_PATH];
	struct front_request rq;
	struct worker w = { .signals.fd = -1 };
	bool linger_on;
	int rc = 0;

	front_cgi_head(&rq);
	linger_on = cfg->linger_ms > 0 && rq.fault.code == FAULT_NONE &&
	    linger_name(cfg, path) == 0;
	/* Before the body is read: it is no part of the process that stays. */
	if (linger_on)
		(void)linger_start(cfg, path, linger);
	front_cgi_body(&rq, cfg);
	if (linger_on && rq.fault.code == FAULT_NONE &&
	    hand_over(cfg, &rq, path))
		goto out;
	rc = 1;
	if (worker_open(&w, cfg) == 0) {
		shut_in(&w);
		rc = front_cgi(w.loop, cfg, w.api, &rq) == 0 ? 0 : 1;
		/* The server waits for the end of the answer, not for our
		 * disk; mod_cgid's one socket is stdin, too. */
		let_go(STDIN_FILENO);
		let_go(STDOUT_FILENO);
	}
	worker_close(&w);
out:
	buf_release(&rq.body);
	return rc;
}
