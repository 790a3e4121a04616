/* map_own: what the parts of map share, and nobody else. */
#ifndef MAP_OWN_H
#define MAP_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image.h"
#include "map.h"
#include "text.h"

/* The first sector: written once, on the disk before the file is used. */
struct map_head {
	char	 magic[8];
	uint32_t version, endian;
	uint64_t layout, nonce;
	int64_t	 made;			/* wall ms */
	uint64_t sum;
};

struct map {
	struct image im;
	char	*path;
	int	 fd;			/* -1: memory only */
	bool	 remote;		/* the file system outlives our boot */
	struct map_head head;		/* as it was when opened */
	uint64_t boot[2];
	uint64_t layout;
	bool	 look;
	enum map_state state;
	struct text_time then;
	dev_t	 dev;
	ino_t	 ino;
	void	*save;			/* copied, to be flushed */
	size_t	 save_len;
	uint64_t save_number, save_seq;
	struct save_job *job;		/* writes save; NULL: none */
	int	 job_fd, job_dir;
	char	 why[200];
};

/* Open checkpoint `number`, whose name it gives in turn; as site_open,
 * or to look at it. */
int	map_save_open(struct map *m, uint64_t number, int flags);

#endif
