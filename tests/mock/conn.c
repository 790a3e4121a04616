#include "conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "control.h"
#include "http.h"
#include "plain.h"

#define IO_MAX		(64 << 10)	/* generated before it is sent */
#define TURN_MAX	(256 << 10)	/* sent before others have a turn */
#define KEEP_CAP	(16 << 10)	/* of an idle connection's buffers */
#define WAKE_EVENTS	(EPOLLIN | EPOLLRDHUP)

enum state {
	READING,	/* a request */
	ANSWERING,	/* one; then says what comes behind out */
	WAITING		/* a control that waits for a counter */
};

struct conn {
	struct timer timer;	/* first: a timer is its connection */
	int	 fd;
	enum state state;
	enum next then;
	struct blob in, out;
	size_t	 off;		/* of out, sent */
	size_t	 wire;		/* of this answer, sent */
	struct blob store;	/* the text that a.s points into */
	struct answer a;
	struct waiter *waiter;
	int64_t	 base;		/* of the pace: when the last wait ended */
	int64_t	 served;
	bool	 keep, provider, continued, held, blocked, dead;
	struct conn *next;	/* in the grave */
};

static void
conn_close(struct mock *m, struct conn *c, bool aborted)
{
	if (c->dead)
		return;
	c->dead = true;
	ledger_end(&m->ledger, &c->a.entry, aborted);
	if (c->state == WAITING)
		m->waiting--;
	if (c->provider)
		m->ledger.open--;
	timer_clear(&m->timers, &c->timer);
	m->table[c->fd] = NULL;
	close(c->fd);
	c->next = m->grave;
	m->grave = c;
}

static void
conn_free(struct conn *c)
{
	blob_free(&c->in);
	blob_free(&c->out);
	blob_free(&c->store);
	answer_free(&c->a);
	free(c->waiter);
	free(c);
}

static void
want_write(struct mock *m, struct conn *c, bool want)
{
	struct epoll_event ev = { .data.fd = c->fd,
	    .events = WAKE_EVENTS | (want ? EPOLLOUT : 0) };

	if (c->blocked == want)
		return;
	c->blocked = want;
	epoll_ctl(m->ep, EPOLL_CTL_MOD, c->fd, &ev);
}

/* -- Sending ------------------------------------------------------------ */

/* Send up to n; the count, 0 if the socket is full, -1 if the peer is gone. */
static ssize_t
send_some(struct mock *m, struct conn *c, const char *p, size_t n)
{
	ssize_t got;

	do
		got = send(c->fd, p, n, MSG_NOSIGNAL);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN) {
		want_write(m, c, true);
		return 0;
	}
	if (got > 0)
		c->wire += (size_t)got;
	return got;
}

/* How much may go in one piece: all, but for split and splitat. */
static size_t
piece(const struct conn *c, size_t n)
{
	const struct script *s = &c->a.s;
	size_t mark = c->a.head_n + (size_t)s->splitat;

	if (s->split && n > (size_t)s->split)
		n = (size_t)s->split;
	if (s->splitat && c->wire < mark && n > mark - c->wire)
		n = mark - c->wire;
	return n;
}

/* Send what is left over: true when nothing is. */
static bool
flush(struct mock *m, struct conn *c)
{
	size_t left;
	ssize_t got;

	while ((left = c->out.n - c->off)) {
		size_t n = piece(c, left);

		got = send_some(m, c, c->out.p + c->off, n);
		if (got < 0)
			conn_close(m, c, true);
		if (got <= 0)
			return false;
		c->off += (size_t)got;
		if (n < left && (size_t)got == n) {
			timer_set(&m->timers, &c->timer,
			    timer_now() + c->a.s.splitgap);
			return false;
		}
	}
	blob_drop(&c->out, c->out.n, KEEP_CAP);
	c->off = 0;
	return true;
}

/* Make the next bytes and send them; how many were made. */
static size_t
produce(struct mock *m, struct conn *c)
{
	struct blob *io = &m->io;
	size_t sent = 0, made;
	ssize_t got;

	io->n = 0;
	do
		c->then = answer_step(&c->a, &m->ledger, m->fixtures, io);
	while (c->then == NEXT_GO && io->n < IO_MAX);
	made = io->n;
	if (c->a.s.split || c->a.s.splitat) {
		blob_put(&c->out, io->p, made);
		return made;
	}
	while (sent < made) {
		got = send_some(m, c, io->p + sent, made - sent);
		if (got < 0) {
			conn_close(m, c, true);
			return made;
		}
		if (!got)
			break;
		sent += (size_t)got;
	}
	blob_put(&c->out, io->p + sent, made - sent);
	return made;
}

static void
wait_for(struct mock *m, struct conn *c, int64_t us)
{
	int64_t now = timer_now();

	c->base += us;
	if (c->base < now)
		c->base = now;
	timer_set(&m->timers, &c->timer, c->base);
}

/* A reset throws away what the kernel has not delivered, so it waits until
 * the peer's kernel has all of it: the fault is to come after N chunks. */
static void
reset(struct mock *m, struct conn *c)
{
	struct linger hard = { 1, 0 };
	int queued = 0;

	if (!ioctl(c->fd, SIOCOUTQ, &queued) && queued) {
		timer_set(&m->timers, &c->timer, timer_now() + 200);
		return;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	conn_close(m, c, false);
}

static void
run(struct mock *m, struct conn *c)
{
	size_t made = 0;

	while (c->state == ANSWERING && !c->dead && !c->blocked &&
	    flush(m, c)) {
		switch (c->then) {
		case NEXT_GO:
			if (made >= TURN_MAX) {
				timer_set(&m->timers, &c->timer,
				    timer_now() + 1);
				return;
			}
			made += produce(m, c);
			break;
		case NEXT_WAIT:
			c->then = NEXT_GO;
			wait_for(m, c, c->a.wait);
			return;
		case NEXT_HOLD:
			c->then = NEXT_GO;
			c->held = true;
			return;
		case NEXT_SILENT:
			return;
		case NEXT_KEEP:
			ledger_end(&m->ledger, &c->a.entry, false);
			c->served++;
			c->state = READING;
			return;
		case NEXT_FIN:
			conn_close(m, c, false);
			return;
		case NEXT_RST:
			reset(m, c);
			return;
		}
	}
}

/* -- Requests ----------------------------------------------------------- */

/* An answer that is ready as a whole stands in c->out. */
static void
answer_whole(struct conn *c)
{
	c->state = ANSWERING;
	c->then = c->keep ? NEXT_KEEP : NEXT_FIN;
	script_init(&c->a.s);
	c->wire = 0;
}

static void
begin_control(struct mock *m, struct conn *c, const struct request *r)
{
	struct waiter w;

	if (control_answer(&m->ledger, r, &w, &c->out) == CONTROL_DONE) {
		m->poke = true;
		answer_whole(c);
		return;
	}
	if (!c->waiter)
		c->waiter = malloc(sizeof(w));
	if (!c->waiter) {
		conn_close(m, c, false);
		return;
	}
	*c->waiter = w;
	c->state = WAITING;
	m->waiting++;
	m->ledger.changed = true;
	timer_set(&m->timers, &c->timer, timer_now() + w.ms * 1000);
}

static void
end_wait(struct mock *m, struct conn *c, int status)
{
	const char *text = status == 200 ? "ok\n" : "mock: not in time\n";

	timer_clear(&m->timers, &c->timer);
	m->waiting--;
	plain_answer(&c->out, status, "text/plain", text, strlen(text),
	    c->keep);
	answer_whole(c);
}

/* One source of script text, kept in the store with a NUL behind it. */
static void
add_text(struct conn *c, const char *p, size_t n)
{
	if (!p || !n)
		return;
	blob_put(&c->store, p, n);
	blob_put(&c->store, "", 1);
}

/* Everything that has a say in this answer, the weakest first. model is the
 * whole name, of which the first n bytes are the name proper. */
static int
read_script(struct mock *m, struct conn *c, const struct request *r,
    const char *name, struct span model, size_t n)
{
	struct span header = http_header(r, "x-mock");
	char text[4096], key[5], *p, *end;
	const char *rule;

	c->store.n = 0;
	script_init(&c->a.s);
	if (m->fallback)
		add_text(c, m->fallback, strlen(m->fallback));
	if (http_query(r, "mock", text, sizeof(text)))
		add_text(c, text, strlen(text));
	if ((rule = ledger_rule_use(&m->ledger, false, name)))
		add_text(c, rule, strlen(rule));
	ledger_key(r, key);
	if ((rule = ledger_rule_use(&m->ledger, true, key)))
		add_text(c, rule, strlen(rule));
	if (n < model.n)
		add_text(c, model.p + n + 1, model.n - n - 1);
	add_text(c, header.p, header.n);

	end = c->store.p + c->store.n;
	for (p = c->store.p; p < end; ) {
		char *after = p + strlen(p) + 1;

		if (script_read(&c->a.s, p) < 0)
			return -1;
		p = after;
	}
	return 0;
}

static void
begin_scripted(struct mock *m, struct conn *c, const struct request *r,
    struct span model, struct question *q)
{
	size_t n = script_name(model.p, model.n);
	struct model *known = ledger_model(&m->ledger, model.p, n);
	struct script *s = &c->a.s;
	int bad = read_script(m, c, r, known->name, model, n);

	if (!bad && s->stale && c->served) {
		ledger_stale(&m->ledger, known);
		conn_close(m, c, false);
		return;
	}
	if (bad) {
		s->status = 500;
		s->type = "mock_script";
		s->message = s->wrong;
	}
	if (!c->provider) {
		c->provider = true;
		m->ledger.connections++;
		m->ledger.open++;
	}
	ledger_begin(&m->ledger, &c->a.entry, known, r);
	q->model = known->name;
	q->keep = r->keep;
	q->id = ++m->ids;
	q->now = (long long)time(NULL);
	answer_open(&c->a, q);
	c->state = ANSWERING;
	c->then = NEXT_GO;
	c->wire = 0;
	c->base = timer_now();
}

static void
begin_refusal(struct conn *c, int status)
{
	struct blob body = { 0 };
	struct script s;

	script_init(&s);
	plain_error(&body, status, &s);
	plain_answer(&c->out, status, "application/json", body.p, body.n,
	    c->keep);
	blob_free(&body);
	answer_whole(c);
}

static void
begin_chat(struct mock *m, struct conn *c, const struct request *r)
{
	struct question q = { 0 };
	struct chat chat;

	if (!span_is(r->method, "POST")) {
		begin_refusal(c, 405);
	} else if (http_chat(&chat, r->body) < 0) {
		begin_refusal(c, 400);
	} else {
		q.stream = chat.stream;
		q.usage = chat.usage;
		begin_scripted(m, c, r, chat.model, &q);
	}
}

static void
dispatch(struct mock *m, struct conn *c, const struct request *r)
{
	static const struct span listing = { "/models", 7 };
	struct question q = { .plain = &m->models };

	c->keep = r->keep;
	if (r->path.n > 7 && !memcmp(r->path.p, "/_mock/", 7))
		begin_control(m, c, r);
	else if (span_ends(r->path, "/chat/completions"))
		begin_chat(m, c, r);
	else if (span_ends(r->path, "/models") && span_is(r->method, "GET"))
		begin_scripted(m, c, r, listing, &q);
	else
		begin_refusal(c, 404);
}

/* Start on the next request, if it is here. */
static bool
take_request(struct mock *m, struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct request r;
	int whole = http_read(&r, c->in.p, c->in.n);

	if (!whole && r.expect && !c->continued) {
		c->continued = true;
		send_some(m, c, go_on, sizeof(go_on) - 1);
	}
	if (!whole)
		return false;
	if (whole < 0) {
		c->in.n = 0;
		c->keep = false;
		begin_refusal(c, 400);
		return true;
	}
	c->continued = false;
	dispatch(m, c, &r);
	blob_drop(&c->in, r.head.n + r.body.n, KEEP_CAP);
	return !c->dead;
}

static void
turn(struct mock *m, struct conn *c)
{
	do
		run(m, c);
	while (!c->dead && c->state == READING && take_request(m, c));
}

/* -- The loop's side ---------------------------------------------------- */

static void
receive(struct mock *m, struct conn *c)
{
	ssize_t got;

	m->io.n = 0;
	got = recv(c->fd, blob_room(&m->io, TURN_MAX), TURN_MAX, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || c->in.n > HTTP_BODY_MAX + HTTP_HEAD_MAX) {
		conn_close(m, c, true);
		return;
	}
	blob_put(&c->in, m->io.p, (size_t)got);
	if (c->state == READING)
		turn(m, c);
}

void
conn_event(struct mock *m, int fd, uint32_t events)
{
	struct conn *c = m->table[fd];

	if (!c)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		receive(m, c);
	if (!c->dead && events & EPOLLOUT) {
		want_write(m, c, false);
		turn(m, c);
	}
}

void
conn_timers(struct mock *m)
{
	int64_t now = timer_now();
	struct timer *t;

	while ((t = timer_first(&m->timers)) && t->due <= now) {
		struct conn *c = (struct conn *)t;

		timer_clear(&m->timers, t);
		if (c->state == WAITING)
			end_wait(m, c, 408);
		turn(m, c);
	}
}

void
conn_batch(struct mock *m)
{
	struct conn *c;
	size_t i;

	while (m->poke || (m->ledger.changed && m->waiting)) {
		bool poke = m->poke;

		m->poke = m->ledger.changed = false;
		for (i = 0; i < m->ntable; i++) {
			c = m->table[i];
			if (c && c->held && poke) {
				c->held = false;
				turn(m, c);
			} else if (c && c->state == WAITING &&
			    control_ready(&m->ledger, c->waiter)) {
				end_wait(m, c, 200);
				turn(m, c);
			}
		}
	}
	while ((c = m->grave)) {
		m->grave = c->next;
		conn_free(c);
	}
}

static bool
table_room(struct mock *m, size_t fd)
{
	size_t n = m->ntable ? m->ntable : 256;
	struct conn **t;

	while (n <= fd)
		n *= 2;
	if (n == m->ntable)
		return true;
	t = realloc(m->table, n * sizeof(*t));
	if (!t)
		return false;
	memset(t + m->ntable, 0, (n - m->ntable) * sizeof(*t));
	m->table = t;
	m->ntable = n;
	return true;
}

void
conn_accept(struct mock *m, int listener)
{
	struct epoll_event ev = { .events = WAKE_EVENTS };
	struct conn *c;
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		ev.data.fd = fd;
		c = table_room(m, (size_t)fd) ? calloc(1, sizeof(*c)) : NULL;
		if (!c || epoll_ctl(m->ep, EPOLL_CTL_ADD, fd, &ev) < 0) {
			fputs("mock: cannot take a connection\n", stderr);
			free(c);
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c->fd = fd;
		m->table[fd] = c;
	}
}

void
conn_free_all(struct mock *m)
{
	size_t i;

	for (i = 0; i < m->ntable; i++)
		if (m->table[i])
			conn_close(m, m->table[i], false);
	conn_batch(m);
	free(m->table);
	timer_free(&m->timers);
	ledger_free(&m->ledger);
	blob_free(&m->models);
	blob_free(&m->io);
}
