/* save: a checkpoint on disk: chosen ranges of an image, whole or not at all.
 *
 * A checkpoint is one file with a sum over all of it, so what a power cut
 * left half written is found out. Keep two and write them in turn: the one
 * that is not being written stays good. Pure file work, no meaning.
 *
 * A disk may take seconds to have something for sure. Whoever cannot wait for
 * it has it written by a thread, the only one of ours: it touches nothing but
 * its bytes and its file. */
#ifndef SAVE_H
#define SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct save_range {
	uint64_t off, len;		/* within the image */
};

struct save_head {
	uint64_t number;		/* grows by one each time */
	uint64_t nonce;			/* of the file it belongs to */
	uint64_t layout;		/* of the image */
	int64_t	 wall, mono;		/* when the image was copied */
};

/* A 64-bit sum of p[0..n), chained by h. It finds torn and damaged bytes; it
 * is no defence against a forger. */
uint64_t save_sum(uint64_t h, const void *p, size_t n);

/* A checkpoint in memory, ready to be written: malloc'd, *len bytes; NULL
 * when memory is out. Ranges lie within the image. Does not block. */
void	*save_make(const struct save_head *h, const void *image,
	    const struct save_range *r, size_t n, size_t *len);

/* Write it over the file fd and wait until it is on the disk. 0, or -1 with
 * errno. Blocks. */
int	save_write(int fd, const void *p, size_t len);

/* The same in a thread of its own, and sync of the directory dir, unless it is
 * -1. Both descriptors and the bytes are lent until it has ended. NULL: there
 * is no thread to be had, or no memory; nothing was done. Does not block. */
struct save_job *save_start(int fd, int dir, const void *p, size_t len);

/* Whether it has ended; then save_end does not block. */
bool	save_ended(const struct save_job *j);

/* Wait for its end and free it: 0, or -1. */
int	save_end(struct save_job *j);

/* Read and verify the checkpoint in fd: malloc'd, *len bytes, or NULL when it
 * is missing, torn or foreign. Blocks. */
void	*save_read(int fd, struct save_head *h, size_t *len);

/* Copy its ranges into image, which holds size bytes; the rest of image is
 * left alone. 0, or -1 and nothing copied when a range lies outside. */
int	save_apply(const void *p, size_t len, void *image, size_t size);

#endif
