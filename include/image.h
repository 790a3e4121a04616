/* image: the bytes of a state file under its lock, changed all or nothing.
 *
 * The mechanism of map.h: staged copies, a redo record, the mark; the mapping
 * and what happens when it is truncated; the copy in memory of a remote file.
 * Knows nothing of how the file was found or made.
 *
 * A file is: 512 bytes for its maker, the words of struct image_live, at 1024
 * the latch, at 4096 the redo record, at IMAGE_DATA the data. */
#ifndef IMAGE_H
#define IMAGE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latch.h"

#define IMAGE_LIVE	512
#define IMAGE_RECORD	1024		/* words that one change may touch */
#define IMAGE_DATA	(4096 + IMAGE_RECORD * 12)
#define IMAGE_MAX	((size_t)64 << 20)
#define IMAGE_STAGES	10
#define IMAGE_BYTES	(IMAGE_RECORD * 8)

/* The latch's word, on a cache line of its own, and its bytes far past the
 * data: one, then the caller's, then one for each process's number. */
#define IMAGE_WORD	1024
#define IMAGE_LOCK	((off_t)1 << 40)
#define IMAGE_LIFE	(IMAGE_LOCK + 16)

/* Each word is stored whole, never by the redo record. */
struct image_live {
	_Atomic uint64_t boot[2];	/* the boot that the data belongs to */
	_Atomic uint64_t size;		/* of the data */
	_Atomic uint64_t mark;		/* not 0: apply the redo record */
	_Atomic uint64_t seq;		/* changes made */
	_Atomic uint64_t n, sum;	/* of the redo record */
	_Atomic uint64_t saved;		/* the last whole checkpoint */
	_Atomic uint64_t saved_seq;	/* seq that it holds */
	_Atomic uint64_t saved_at;	/* mono when one was begun */
};

struct image_stage {
	size_t	 off, len;
	uint64_t *copy;
};

struct image {
	struct image *next;		/* of those that SIGBUS looks through */
	int	 fd;			/* -1: memory only; borrowed */
	bool	 copy;			/* base is a copy of a remote file */
	bool	 busy;			/* image_begin waited in vain */
	volatile sig_atomic_t lost;	/* truncated or damaged: for good */
	char	*base;			/* NULL: nothing is attached */
	size_t	 len;			/* mapped */
	size_t	 size;			/* of the data */
	struct latch latch;
	uint64_t copied;		/* seq that our copy has */
	size_t	 nstages, staged;
	struct image_stage stages[IMAGE_STAGES];
	uint64_t bytes[IMAGE_RECORD];
};

/* Map the file fd of len bytes (fd -1: that much memory), or read it if copy.
 * 0, or -1 with errno. The descriptor must stay open until image_detach,
 * which takes an image that is not attached. */
int	image_attach(struct image *im, int fd, size_t len, bool copy);
void	image_detach(struct image *im);

/* The words, one at a time; a store is also passed on to a remote file. */
struct image_live *image_live(const struct image *im);
uint64_t image_load(const _Atomic uint64_t *p);
void	image_store(struct image *im, _Atomic uint64_t *p, uint64_t v);

/* Pass len bytes at off of the file on to a remote file. */
void	image_pass(struct image *im, size_t off, size_t len);

/* The caller, who found the file, has the outer lock: have the latch, too, as
 * image_begin would give it. living: others may be using the file, wait for
 * them at most `ms`; else its word holds anything. 0 or -1. */
int	image_hold(struct image *im, bool living, int64_t ms);

/* A number for this process, see latch_claim. */
int	image_claim(struct image *im, int start);

/* Under the lock: finish what a killed process began. 0, or -1: the record is
 * damaged. image_begin does it, too. */
int	image_finish(struct image *im);

/* As the map_ functions of the same names. */
int	image_begin(struct image *im);
void	image_end(struct image *im);
void	*image_stage(struct image *im, size_t off, size_t len);
void	image_drop(struct image *im);
void	image_commit(struct image *im);
uint64_t image_add(struct image *im, size_t off, uint64_t n);
uint64_t image_peek(const struct image *im);
bool	image_peeked(const struct image *im, uint64_t number);
int	image_grow(struct image *im, size_t size);

#endif
