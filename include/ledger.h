/* ledger: what processes share: slots, leases, take, settle, observe, view.
 *
 * Every function but ledger_open takes its time as an argument, waits for the
 * file's lock at most a bounded time (see ledger_aside; then it goes on without
 * the file and says so), and never fails in a way that a request could notice:
 * a broken file is set aside, service goes on with counters in memory, and
 * ledger_health tells. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota.h"

struct buf;
struct config;
struct text_time;

struct ledger;

#define LEDGER_NOBODY	SIZE_MAX	/* no client */

/* Open cfg->state, made if it is not there, and find or make the slot of each
 * scope of cfg. cfg is borrowed as long as the ledger lives. Blocks for files
 * and the lock. NULL only when memory is out: trouble with the file gives a
 * ledger in memory, and ledger_health says why. A ledger belongs to the
 * process that opened it: open after fork. */
struct ledger *ledger_open(const struct config *cfg,
    const struct text_time *now);

/* What the state file holds now, in a ledger of its own, for one who only
 * looks: nothing is made, locked, settled or changed, read permission is
 * enough, and it does not move on. ledger_health says why there is nothing to
 * see. For the functions that read, and ledger_close. NULL: memory is out. */
struct ledger *ledger_snapshot(const struct config *cfg,
    const struct text_time *now);

/* Checkpoint, give up this process's worker slot, unmap. Takes NULL. Leases
 * still open are settled at their estimate. What was counted in memory is told
 * to the file, which is waited for: 10 s, 2 s after ledger_aside. */
void	ledger_close(struct ledger *l);

/* NULL when the state file is in use and sound; else a sentence about what is
 * wrong, owned by l. */
const char *ledger_health(const struct ledger *l);

/* Whether more processes use the state file than it can tell apart, and this is
 * one too many: it must admit nothing, for nobody would count it. It tries
 * again at each ledger_tick. */
bool	ledger_crowded(const struct ledger *l);

/* Take one request of `tokens` (estimate) from every window of every scope of
 * the lane and of the client, all or nothing. 0 and *lease, or -1 and *why. A
 * lease is this process's until it is settled; if the process dies, another
 * settles it at its estimate. */
int	ledger_take(struct ledger *l, const struct text_time *now, size_t lane,
	    size_t client, int64_t tokens, uint64_t *lease,
	    struct quota_answer *why);

/* The same for want of anything open: bars that were concluded from failures
 * (answer.dare) do not hold it up, one such try at a time, and 1 to 30 s after
 * the last. */
int	ledger_dare(struct ledger *l, const struct text_time *now, size_t lane,
	    size_t client, int64_t tokens, uint64_t *lease,
	    struct quota_answer *why);

/* Either of them for a further attempt of a request that has had its lease: the
 * client is charged the tokens, but no other request, and what limits it has
 * do not hold the attempt up: it was admitted. */
int	ledger_more(struct ledger *l, const struct text_time *now, size_t lane,
	    size_t client, int64_t tokens, bool dare, uint64_t *lease,
	    struct quota_answer *why);

/* Whether this lease is the probe of something that is barred: all others are
 * refused there until it is known how it fares. No lock. */
bool	ledger_probes(uint64_t lease);

/* A probe gives content, and may do so for minutes: what it was for is open
 * from now on. Should it fail later, that is a failure like any other. */
void	ledger_good(struct ledger *l, const struct text_time *now,
	    uint64_t lease);

/* How an attempt ended. */
struct ledger_end {
	bool	 counted;	/* the provider counts it as a request */
	bool	 asked;		/* it heard of it: one of the client's requests,
				 * counted or not */
	bool	 failed;	/* the lane failed (not the request's fault) */
	bool	 unknown;	/* it tells nothing of the lane: the client left
				 * before content, or we failed; not failed */
	bool	 fallback;	/* another lane was tried before this one */
	int64_t	 prompt;	/* tokens; both -1: unknown, the estimate stays,
				 * or none of it if it is not counted */
	int64_t	 completion;
	int64_t	 first_ms;	/* time to first content; -1 none */
	int64_t	 raw;		/* estimate of the prompt, before what was
				 * learned, to learn from; 0: nothing to */
};

/* The estimate out, what was really used in, counters up, the lease closed:
 * one step, exactly once. A lease that is not open is ignored. */
void	ledger_settle(struct ledger *l, const struct text_time *now,
	    uint64_t lease, const struct ledger_end *end);

/* The scope of a bar or an observation, seen from a lane. */
enum ledger_scope {
	LEDGER_LANE,		/* the model on this key */
	LEDGER_MODEL,		/* the model on every key of the provider */
	LEDGER_KEY,		/* every model on this key */
	LEDGER_ACCOUNT		/* the whole provider */
};

/* What the provider said of its limits corrects the count: the stricter wins
 * until its reset. */
void	ledger_observe(struct ledger *l, const struct text_time *now,
	    size_t lane, enum ledger_scope scope,
	    const struct quota_seen *seen, size_t n);

/* Admit nothing from this scope until ban->until; an earlier bar that lasts
 * longer stays, unless it was a guess and this is none. */
void	ledger_bar(struct ledger *l, const struct text_time *now, size_t lane,
	    enum ledger_scope scope, const struct quota_ban *ban);

/* The next number of a rotation: 0, 1, 2 ... over all processes. name: an
 * alias, by its index in the config. */
uint64_t ledger_turn(struct ledger *l, size_t alias);

/* The number that ledger_turn would give now. */
uint64_t ledger_turn_now(struct ledger *l, size_t alias);

/* Lines of those who wait for room, over all processes (see line.h). A line is
 * any number but 0 that those who want the same give. ledger_ahead: how many
 * are before this ticket; ticket 0: all of the line. ledger_join: take a
 * place, *ticket 0 before, or keep it; due: the mono time at which it will
 * look again. With no place left *ticket stays 0. ledger_leave takes 0. */
size_t	ledger_ahead(struct ledger *l, const struct text_time *now,
	    uint64_t line, uint64_t ticket);
void	ledger_join(struct ledger *l, const struct text_time *now,
	    uint64_t line, uint64_t *ticket, int64_t due);
void	ledger_leave(struct ledger *l, uint64_t ticket);
size_t	ledger_waiting(const struct ledger *l);	/* in all lines */

/* Address `who` (see client_address) showed a wrong token. ms until another is
 * counted: the caller says 429 to this one already. 0: it is counted, and
 * *tell: the next will not be, and the operator should hear of it. */
int64_t	ledger_failed(struct ledger *l, const struct text_time *now,
	    uint64_t who, bool *tell);

/* How the lanes look now to a request of `tokens`; views[i] belongs to lane
 * lanes[i]. Takes the lock once. */
void	ledger_view(struct ledger *l, const struct text_time *now,
	    const uint16_t *lanes, size_t n, size_t client, int64_t tokens,
	    struct quota_view *views);

/* Counters of one scope for /usage. */
struct ledger_counts {
	int64_t	requests, tokens, failures;	/* since the file was made */
	int64_t	requests_today, tokens_today;	/* provider's day */
	int64_t	day_start;			/* wall ms */
	int64_t	last_used;			/* wall ms; 0 never */
	int64_t	first_ms;			/* average; 0 unknown */
	int32_t	inflight;
	struct quota_answer bar;		/* QUOTA_OPEN: none */
};

enum ledger_kind { LEDGER_K_ACCOUNT, LEDGER_K_KEY, LEDGER_K_LANE,
    LEDGER_K_CLIENT };

/* Read one scope: index is a provider's, a lane's or a client's index; a key
 * is named by any lane that uses it. Up to CONFIG_LIMITS rows; their number,
 * or 0. Windows without a limit and without a use give no row. */
size_t	ledger_report(struct ledger *l, const struct text_time *now,
	    enum ledger_kind kind, size_t index, struct ledger_counts *counts,
	    struct quota_row rows[CONFIG_LIMITS]);

/* Of the file, since it was made; taken is settled + abandoned + open. */
struct ledger_totals {
	int64_t	bytes;			/* of the tables */
	int64_t	taken, settled;
	int64_t	abandoned;		/* its process died */
	int64_t	fallbacks;		/* settled after another lane failed */
	int64_t	waiting;		/* as ledger_waiting */
};

void	ledger_totals(struct ledger *l, const struct text_time *now,
	    struct ledger_totals *out);

/* A request under way, of any process. */
struct ledger_run {
	size_t	 lane, client;		/* LEDGER_NOBODY: none, or not of this
					 * configuration */
	int64_t	 pid;			/* as its process saw itself */
	bool	 alive;			/* that process */
	int64_t	 since;			/* wall ms, whole seconds */
	int64_t	 tokens;		/* reserved */
};

/* The first max of them in the order of the file; how many there are. */
size_t	ledger_running(struct ledger *l, const struct text_time *now,
	    struct ledger_run *out, size_t max);

/* What was settled in each of the last hours and days (UTC), oldest first, the
 * present one last; nothing used is zeros. Under way is not settled. */
#define LEDGER_HOURS	48
#define LEDGER_DAYS	62

struct ledger_span {
	int64_t	at;			/* wall ms: its start */
	int64_t	requests, tokens, failures;
	int64_t	fallbacks;		/* answered after another failed */
};

struct ledger_history {
	struct ledger_span hours[LEDGER_HOURS], days[LEDGER_DAYS];
};

void	ledger_history(struct ledger *l, const struct text_time *now,
	    struct ledger_history *out);

/* The tokens of a prompt, from its raw estimate and what the lane's settled
 * requests taught: tokens = overhead + k * raw. No lock. */
int64_t	ledger_estimate(struct ledger *l, size_t lane, int64_t raw);

/* Housekeeping, to be called about once a second: settles leases of dead
 * processes, checkpoints every 2 s, notices a replaced or truncated file and
 * attaches again. Blocks for the disk, but not after ledger_aside, which is for
 * a loop: that is left to a thread, as long as one can be had, and all others
 * here wait at most 500 ms for a lock that is held too long, not 2 s. */
void	ledger_aside(struct ledger *l);
void	ledger_tick(struct ledger *l, const struct text_time *now);

/* For `relevo state`. Each: 0, or -1 with a sentence in out. */
int	ledger_dump(struct ledger *l, const struct text_time *now,
	    struct buf *out);		/* JSON */
int	ledger_verify(struct ledger *l, const struct text_time *now,
	    struct buf *out);		/* every invariant; what is broken */
int	ledger_reset(struct ledger *l, const struct text_time *now,
	    const char *name, struct buf *out);	/* NULL: all scopes */

#endif
