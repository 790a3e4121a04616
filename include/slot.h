/* slot: the tables in the state file: slots by name, leases, aliases' turns,
 * what was used when, and who showed wrong tokens.
 *
 * Knows where things lie and who owns them; quota knows what they mean, map
 * how they change. Everything but the reading functions is under the
 * file's lock. Indices read from the file are checked before use: a damaged
 * file may miscount, never crash. */
#ifndef SLOT_H
#define SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota.h"
#include "text.h"

struct config;
struct map;

#define SLOT_NONE	UINT32_MAX
#define SLOT_LEASES	4096		/* open at once, all processes */
#define SLOT_PLACES	1024		/* in line at once, all processes */
#define SLOT_SCOPES	4		/* of a lease */
#define SLOT_CLIENT	3		/* the client's place among them */

/* The head of the tables. Counts since the file was made; taken is settled +
 * abandoned + open. */
struct slot_head {
	uint64_t nslots, naliases;
	uint64_t free;			/* first free lease + 1; 0 none */
	uint64_t top;			/* leases ever used */
	uint64_t gen;			/* of the last lease */
	uint64_t taken, settled, abandoned, fallbacks;
	uint64_t waiting;		/* places taken in all lines */
	uint64_t ticket;		/* of the last place */
	uint64_t spare[5];
};

/* A request that is tried once more has a lease for each attempt, but is one
 * request of its client: the first lease holds that, the others are SLOT_MORE,
 * with tokens only. */
#define SLOT_MORE	0x8000		/* in slot[SLOT_CLIENT] */

struct slot_lease {
	uint32_t gen;
	uint16_t owner;			/* worker + 1; 0: free */
	uint16_t owner_gen;
	uint16_t slot[SLOT_SCOPES];	/* + 1; 0 none; see slot_named */
	uint32_t tokens;		/* reserved; of a free one: the next */
	uint32_t sec;			/* window_mark, shared */
	uint8_t	 serial[SLOT_SCOPES];
	uint32_t wall;			/* s, when it was taken */
};

/* A place in a line of those who wait for room; see line.h. */
struct slot_place {
	uint64_t ticket;		/* 0: free */
	uint64_t line;
	int64_t	 due;			/* mono ms: when its owner looks next */
	uint16_t owner;			/* worker + 1 */
	uint16_t owner_gen;
	uint32_t spare;
};

/* What was settled in one hour or day of UTC, of all scopes. Two rings, hours
 * and days; a cell's place is its number modulo the ring's size. */
#define SLOT_HOURS	48
#define SLOT_DAYS	62

enum slot_ring { SLOT_BY_HOUR, SLOT_BY_DAY };

struct slot_cell {
	int64_t	 number;		/* since 1970; 0: unused */
	uint64_t requests, tokens, failures;
	uint64_t fallbacks;		/* answered after another failed */
};

/* How often an address showed a wrong token; see throttle.h. */
#define SLOT_FAILED	512

struct slot_failed {
	uint64_t who;			/* hash of the address; 0: free */
	int64_t	 until;			/* wall ms: all is forgotten */
	int64_t	 told;			/* wall ms: of the log line */
};

/* A scope of the config, and where it is in the file at present. */
struct slot_scope {
	uint64_t hash[2];
	uint32_t slot;			/* checked by hash before each use */
	struct window_rule rule;
};

struct slot_table {
	const struct config *cfg;
	struct map *map;
	struct slot_scope *scopes;	/* accounts, keys, lanes, clients */
	size_t	 nscopes, keys, lanes, clients;	/* where each kind begins */
	size_t	*key;			/* a provider's first key */
	uint64_t (*alias)[2];		/* hashes */
	uint32_t *turn;			/* their place, SLOT_NONE */
	uint64_t *own_turn;		/* when they have none */
	size_t	 naliases;
	int	 worker;
	bool	 crowded;		/* no number is left for us */
	const char *left;		/* why in memory beside a sound file */
	uint16_t gen;			/* of our worker number */
	uint16_t epoch;			/* of the present map */
	uint16_t epochs;		/* given out */
	uint16_t away;			/* of the map that was detached */
	struct slot_past *past;		/* of each scope; in memory only */
	struct slot_open *open;		/* leases that moved to a file, */
	size_t	 nmoved, nopen;		/* and those that are about to */
};

/* A lease, and the map that it is of. */
struct slot_id {
	uint16_t epoch;
	uint32_t gen, index;
};

/* Names and hashes of all scopes of cfg, which is borrowed. 0 or -1 (memory).
 * slot_release takes a zeroed or released t. */
int	slot_init(struct slot_table *t, const struct config *cfg);
void	slot_release(struct slot_table *t);

/* Open cfg->state (path NULL: memory), find or make all slots, and put it in
 * place of the present map, which is closed; if the file is new and the old one
 * sound, with the old one's counts. 0, or -1 when memory is out and everything
 * is as it was. Blocks. */
int	slot_attach(struct slot_table *t, const char *path,
	    const struct text_time *now);

/* What the file at path holds now, copied, for one who only looks: t->map tells
 * why when it is empty, and why a sentence if its tables are damaged. 0, or -1
 * (memory). Blocks. */
int	slot_snapshot(struct slot_table *t, const char *path,
	    const struct text_time *now, const char **why);

/* The same in memory, with a copy of the present map's data; the present map
 * is handed to the caller. NULL when memory is out. */
struct map *slot_detach(struct slot_table *t, const struct text_time *now);
/* Back to the map that slot_detach gave; what was taken in memory is charged
 * to it as it ended, a bar that was set there holds here, and what is still
 * open is open here: slot_follow. Under m's lock, which the caller has and
 * keeps. slot_attach does the same when a file takes the place of memory. */
void	slot_return(struct slot_table *t, struct map *m,
	    const struct text_time *now);

/* Make *id what became of it, if that lease has moved; last: nobody will ask
 * again. */
void	slot_follow(struct slot_table *t, struct slot_id *id, bool last);

/* The scopes of a lane and a client (SIZE_MAX: none), as indices of
 * t->scopes; their number, at most SLOT_SCOPES. */
size_t	slot_scopes(const struct slot_table *t, size_t lane, size_t client,
	    size_t scope[SLOT_SCOPES]);
size_t	slot_key(const struct slot_table *t, size_t lane);

/* Under the lock: the slot of a scope in place, made if it is gone. Never
 * NULL while t->map lives in memory; NULL when the file is full. */
const struct quota_slot *slot_at(struct slot_table *t, size_t scope,
	    const struct text_time *now);
/* The same staged for a change; and the head, and slot number i. */
struct quota_slot *slot_stage(struct slot_table *t, size_t scope,
	    const struct text_time *now);
struct slot_head *slot_stage_head(struct slot_table *t);
struct quota_slot *slot_stage_index(struct slot_table *t, uint32_t i);

/* Reading in place; also without the lock, between map_peek and map_peeked,
 * when a slot may be torn. NULL out of range. */
const struct slot_head *slot_head(const struct slot_table *t);
const struct quota_slot *slot_index(const struct slot_table *t, uint32_t i);
const struct slot_lease *slot_lease(const struct slot_table *t, uint32_t i);
/* Where the scope was when last seen; NULL when it has moved. */
const struct quota_slot *slot_look(const struct slot_table *t, size_t scope);

/* The number of lease l's slot in place k, SLOT_NONE: it has none; and the
 * requests that it holds there: 1, or 0. */
uint32_t slot_named(const struct slot_lease *l, int k);
int	slot_holds(const struct slot_lease *l, int k);

/* Take a lease of w in every scope of it, in a transaction of its own. 0, or
 * -1: no lease is free, or no room for a slot. */
struct slot_want {
	size_t	 scope[SLOT_SCOPES];	/* as slot_scopes gives them */
	size_t	 n;
	struct text_time now;		/* raised by each of them */
	int64_t	 tokens;		/* at most UINT32_MAX */
	bool	 more;			/* see SLOT_MORE */
	bool	 late;			/* sent already: it cannot probe */
};
struct slot_got {
	uint32_t gen, index;
	bool	 probe;			/* of what is barred */
};
int	slot_reserve(struct slot_table *t, const struct text_time *now,
	    const struct slot_want *w, struct slot_got *got);

/* The number by which a scope knows lease i of generation gen as its probe. */
uint64_t slot_probe(uint32_t gen, uint32_t i);

/* The process that holds a worker number, as it sees itself; 0 unknown. */
int64_t	slot_pid(const struct slot_table *t, int worker);

/* End lease i as of `now`, in a transaction of its own: at its estimate when
 * end is NULL (abandoned), else as end says. */
struct slot_end {
	bool	 counted, asked, failed, unknown, fallback;
	int64_t	 tokens;		/* -1: the estimate stays */
	int64_t	 first_ms;
	int64_t	 raw, real;		/* of the prompt, to learn; raw 0 not */
};
void	slot_settle(struct slot_table *t, const struct text_time *now,
	    uint32_t i, const struct slot_end *end);

/* Lease i is served, though not at its end: see quota_good. In a transaction of
 * its own. */
void	slot_good(struct slot_table *t, const struct text_time *now,
	    uint32_t i);

/* End the leases of dead processes; their number. */
size_t	slot_sweep(struct slot_table *t, const struct text_time *now);

/* Part the use in n rows of s, slot number `slot`, into what is settled and
 * what open leases hold. Under the lock. */
void	slot_part(const struct slot_table *t, const struct text_time *now,
	    uint32_t slot, const struct quota_slot *s,
	    const struct window_rule *r, struct quota_row *rows, size_t n);

/* The hour or day of a wall time, and when it began. */
int64_t	slot_number(enum slot_ring ring, int64_t wall);
int64_t	slot_began(enum slot_ring ring, int64_t number);
/* The cell where that number has its place, in place: it may hold another.
 * NULL out of range. */
const struct slot_cell *slot_cell(const struct slot_table *t,
	    enum slot_ring ring, int64_t number);
/* Stage `add` into the present hour and the present day: part of the caller's
 * change. */
void	slot_count(struct slot_table *t, const struct text_time *now,
	    const struct slot_cell *add);

/* The rule of slot s if it is of this config, else one without limits. */
const struct window_rule *slot_rule(const struct slot_table *t,
	    const struct quota_slot *s);

/* An alias's present number, and n more for the next. */
uint64_t slot_turn(struct slot_table *t, size_t alias, uint64_t n);

/* Place i of the lines, in place and staged. NULL out of range. */
const struct slot_place *slot_place(const struct slot_table *t, uint32_t i);
struct slot_place *slot_stage_place(struct slot_table *t, uint32_t i);

/* Copy for a checkpoint, if one is due: nothing is written yet. Under the
 * lock. Whether map_flush is to be called after it. */
bool	slot_save(struct slot_table *t, const struct text_time *now,
	    int64_t age);

/* The scope whose slot s is, wherever that lies; SIZE_MAX: of another
 * config. */
size_t	slot_scope_of(const struct slot_table *t, const struct quota_slot *s);

/* Of the time in memory, for the parts of this module: room for it, 0 or -1;
 * it begins, with t->map in memory; it ends, before t->map is replaced; the
 * file that was then put there is told. slot_past_told: t->map, of which nobody
 * else knows yet, is a copy of memory, so it needs to be told only what is open
 * there. */
int	slot_past_new(struct slot_table *t);
void	slot_past_begin(struct slot_table *t, const struct text_time *now);
void	slot_past_end(struct slot_table *t, const struct text_time *now);
void	slot_past_charge(struct slot_table *t, const struct text_time *now);
void	slot_past_told(struct slot_table *t, const struct text_time *now);

/* Where the tables lie, for the parts of this module. Slots are last, so that
 * they can grow, by SLOT_STEP at least. */
#define SLOT_STEP	32
#define SLOT_WORKERS_OFF	sizeof(struct slot_head)
#define SLOT_HISTORY_OFF	(SLOT_WORKERS_OFF + MAP_WORKERS * 8)
#define SLOT_HISTORY_LEN	((SLOT_HOURS + SLOT_DAYS) * \
				sizeof(struct slot_cell))
#define SLOT_FAILED_OFF		(SLOT_HISTORY_OFF + SLOT_HISTORY_LEN)
#define SLOT_FAILED_LEN		(SLOT_FAILED * sizeof(struct slot_failed))

size_t	slot_lease_off(uint64_t naliases);
size_t	slot_slots_off(uint64_t naliases);
size_t	slot_whole(uint64_t nslots, uint64_t naliases);

/* A number that changes with any of the structs. */
uint64_t slot_layout(void);

/* Whether a head's numbers fit in a file of this size. */
bool	slot_sane(const struct slot_head *h, size_t size);

/* Find or make the slots of all scopes and aliases. 0, or -1: no room. */
int	slot_resolve(struct slot_table *t, const struct text_time *now);

struct slot_lease *slot_stage_lease(struct slot_table *t, uint32_t i);

#endif
