/* map: the mapped file: create, check, lock, redo, checkpoint; no meaning.
 *
 * A file of fixed size that any number of processes map and change under one
 * lock. A change is all or nothing for whoever comes next, at whatever
 * instruction the process that made it was killed: the new bytes are first
 * written to a redo record in the file, the record is marked valid, they are
 * applied, the mark is cleared. Whoever takes the lock finishes a marked
 * record first.
 *
 * The argument. Stores to one shared mapping are seen by the other processes
 * of the machine whether or not the process that made them lives. Killed before
 * the mark: the data is untouched. Killed after it: the record is whole, and
 * applying it again is harmless, since it holds values and not differences.
 * The lock is a word of the file that names its holder, and the kernel tells
 * whether he lives (see latch.h): a system call is needed only when somebody
 * else has it. A robust mutex in the file was tried and refused: the protected
 * data can be half done all the same, and an image that was copied or lost
 * power while locked can never be locked again.
 *
 * A power cut mixes old and new sectors of a mapping at random, so after a
 * reboot the mapping is not believed: the newest whole checkpoint (NAME.0 or
 * NAME.1, written in turn, see save.h) takes its place. A reboot is another
 * boot id while nobody has a worker's lock.
 *
 * On file systems without a coherent mapping (NFS, CIFS, FUSE, 9p) the image is
 * a copy in memory, read after the lock and written before the unlock by
 * pread and pwrite with the same redo record. There is no checkpoint of it, and
 * none is needed: such a file system keeps what it was given when this machine
 * starts anew. Machines do not share a file: their clocks differ, so one that
 * finds another's processes there is refused. Without any usable file it is
 * memory of this process alone, and map_why says why.
 *
 * Between map_begin and map_end the data is this process's; a waiter is
 * bounded. A map belongs to the process that opened it: its locks would be
 * shared with a child (OFD locks are inherited), so open after fork. */
#ifndef MAP_H
#define MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct save_range;
struct text_time;

#define MAP_WORKERS	512		/* processes that are told apart */

struct map;

struct map_want {
	const char *path;		/* NULL: memory only */
	uint64_t layout;		/* hash of what the caller puts in */
	size_t	 size;			/* data of a new file; of 8 bytes */
	bool	 copy;			/* as if the file system were remote */
	bool	 look;			/* see map_open */
};

enum map_state {
	MAP_SAME,			/* as the other processes left it */
	MAP_FRESH,			/* zeros */
	MAP_RESTORED			/* of another boot; see map_then */
};

/* Open or make the file. It is returned locked: put the data in order, call
 * map_ready, then map_end; a process killed before map_ready leaves the file
 * to the next one as if it had never come. A file that is not ours (foreign,
 * damaged, another layout) is renamed to PATH.bad-TIME and logged, unless
 * living processes use it. NULL only when memory is out. Blocks for files, and
 * for the lock at most 2 s, twice when others open it, too.
 *
 * look: what the file holds now, in memory of our own, for one who may only
 * read it. Nothing is made, renamed, locked or changed; map_why tells why there
 * is nothing to see. Of map_claim and map_check it knows nothing. */
struct map *map_open(const struct map_want *w, const struct text_time *now);
void	map_ready(struct map *m);

/* Give up the worker number, unmap. Takes NULL. */
void	map_close(struct map *m);

enum map_state map_state(const struct map *m);
/* The clocks when a MAP_RESTORED image was saved; mono 0: nobody knows. */
const struct text_time *map_then(const struct map *m);
/* NULL: the file is in use; else why it is not, a sentence owned by m. */
const char *map_why(const struct map *m);

/* Take the lock, at most 100 ms, and finish what a killed process began. 0,
 * or -1: busy (map_busy) or lost (truncated under us, damaged). */
int	map_begin(struct map *m);
void	map_end(struct map *m);
bool	map_busy(const struct map *m);

/* The data, to be read under the lock; it moves when map_begin finds that the
 * file has grown. Bytes of a lost file read as zeros. */
const void *map_data(const struct map *m);
size_t	map_size(const struct map *m);

/* A private copy of len bytes at off, both of 8, to be changed and then
 * committed; the same range twice gives the same copy. NULL when there is no
 * room: 10 ranges, 8 KiB. map_commit makes all staged ranges true in one step,
 * map_drop forgets them. The lock stays. */
void	*map_stage(struct map *m, size_t off, size_t len);
void	map_commit(struct map *m);
void	map_drop(struct map *m);

/* While the file is not ready yet: the data, to be written in place. */
void	*map_raw(struct map *m);

/* Add n to the word at off and return what it was. No lock, never torn, but
 * not undone either; never stage that word. */
uint64_t map_add(struct map *m, size_t off, uint64_t n);

/* Read without the lock: map_peek gives a number, or 0 when a change is under
 * way; what was read since is consistent if map_peeked says so. */
uint64_t map_peek(const struct map *m);
bool	map_peeked(const struct map *m, uint64_t number);

/* Under the lock: make the data at least `size` bytes, zeros at the end. 0,
 * or -1 (disk full). */
int	map_grow(struct map *m, size_t size);

/* A number for this process, 0 .. MAP_WORKERS-1, held until map_close or its
 * death; -1: all are taken. map_alive asks of another's number. */
int	map_claim(struct map *m);
bool	map_alive(const struct map *m, int worker);
/* Whether no other process holds a number; gives up our own first. */
bool	map_last(struct map *m);

/* Whether the path still leads to this file, whole. 0 or -1. */
int	map_check(struct map *m);

/* Checkpoints. map_stale: how many ms at mono `now` since a checkpoint was
 * begun, -1 when nothing has changed since. map_save, under the lock, copies
 * the ranges; map_flush, without the lock, writes what was copied and waits
 * for the disk. Two processes never write at once. 0 or -1.
 *
 * map_flush_aside has that done by a thread, and does not wait; -1: it cannot,
 * and map_flush may. map_saving tells what became of it, each end once; wait:
 * not before it has ended. map_close waits, too. */
int64_t	map_stale(const struct map *m, const struct text_time *now);
int	map_save(struct map *m, const struct text_time *now,
	    const struct save_range *r, size_t n);
int	map_flush(struct map *m);
int	map_flush_aside(struct map *m);
enum map_saving { MAP_IDLE, MAP_SAVING, MAP_SAVED, MAP_UNSAVED }
	map_saving(struct map *m, bool wait);

#endif
