#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api.h"
#include "config.h"
#include "front_cgi.h"
#include "front_fcgi.h"
#include "ledger.h"
#include "log.h"
#include "loop.h"
#include "relay.h"
#include "text.h"

#define WORKER_TICK_MS	1000

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
	int			 listen;
	pid_t			 parent;	/* the supervisor */
	pid_t			 web;		/* what started it, or 0 */
};

#define OWNER(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

static void
on_tick(struct loop_timer *t)
{
	struct worker *w = OWNER(t, struct worker, tick);
	struct text_time now;

	text_clock(&now);
	ledger_tick(w->ledger, &now);
	(void)loop_timer_set(w->loop, t, loop_now(w->loop) + WORKER_TICK_MS);
	/* An orphan under lighttpd goes on (see supervise.c), as long as
	 * lighttpd does. */
	if (w->web != 0 && getppid() != w->parent && kill(w->web, 0) != 0)
		(void)kill(getpid(), SIGTERM);
}

static void
drained(void *arg)
{
	struct worker *w = arg;

	loop_stop(w->loop);
}

static void
on_deadline(struct loop_timer *t)
{
	struct worker *w = OWNER(t, struct worker, deadline);

	log_msg(LOG_WARN, "drain_time", "%zu chats were cut: they did not end "
	    "within drain-time", relays_live(w->relays));
	loop_stop(w->loop);
}

/* None of us must look as if it still listened: a web server that starts a
 * successor first asks the socket. Not shutdown(2), which would end it for who
 * gave it to us too; and the number stays taken, for it may be 0. */
static void
unlisten(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	(void)dup2(null, fd);
	close(null);
}

static void
on_signal(struct loop_io *io, unsigned events)
{
	struct worker *w = OWNER(io, struct worker, signals);
	struct signalfd_siginfo si;

	(void)events;
	while (read(io->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		;
	if (w->deadline.place != 0)
		return;
	(void)loop_timer_set(w->loop, &w->deadline,
	    loop_now(w->loop) + w->cfg->drain_ms);
	front_fcgi_drain(w->front, drained, w);
	unlisten(w->listen);
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

int
worker_fcgi(const struct config *cfg, int fd, pid_t web)
{
	struct worker w = { .tick.fire = on_tick,
	    .deadline.fire = on_deadline, .listen = fd, .parent = getppid(),
	    .web = web };
	int rc = 1;

	if (worker_open(&w, cfg) != 0 || worker_signals(&w) != 0)
		goto out;
	relays_warm(w.relays);
	w.front = front_fcgi_new(w.loop, cfg, w.api, fd);
	if (w.front == NULL || loop_timer_set(w.loop, &w.tick,
	    loop_now(w.loop) + WORKER_TICK_MS) != 0)
		goto out;
	rc = loop_run(w.loop) == 0 ? 0 : 1;
out:
	if (rc != 0)
		log_msg(LOG_ERROR, "worker", "a worker could not go on");
	worker_close(&w);
	return rc;
}

int
worker_cgi(const struct config *cfg)
{
	struct worker w = { 0 };
	int rc = 1;

	if (worker_open(&w, cfg) == 0)
		rc = front_cgi(w.loop, cfg, w.api) == 0 ? 0 : 1;
	worker_close(&w);
	return rc;
}
