#include "image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "latch.h"
#include "save.h"
#include "site.h"

/* Called before every store to shared memory; the tests cut there. */
#ifndef IMAGE_STORE_HOOK
#define IMAGE_STORE_HOOK()	((void)0)
#endif

#define REDO_OFF	4096
#define WAIT_MS		100

static_assert(sizeof(struct image_live) == 80, "live");
static_assert(IMAGE_WORD >= IMAGE_LIVE + sizeof(struct image_live), "word");
/* Of i386 clang says 1, "sometimes": a plain long long may lie at 4 there, but
 * an _Atomic one lies at 8. */
#ifndef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_8
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit words must be atomic");
#endif
/* With 32 bits the latch's byte would be byte 0, and another one than that of
 * the 64-bit processes that use the same file. */
static_assert(sizeof(off_t) == 8, "-D_FILE_OFFSET_BITS=64");

struct redo {
	_Atomic uint64_t val[IMAGE_RECORD];
	_Atomic uint32_t off[IMAGE_RECORD];
};
static_assert(sizeof(struct redo) == IMAGE_DATA - REDO_OFF, "redo");

/* What a SIGBUS handler can know: there is no argument to hand it, so this is
 * the one place with variables of its own. Images are linked before they are
 * used and unlinked before they are unmapped. */
static struct image *volatile images;
static struct sigaction old_bus;

struct image_live *
image_live(const struct image *im)
{
	return (struct image_live *)(void *)(im->base + IMAGE_LIVE);
}

/* NULL: each process has a copy of its own. */
static _Atomic uint64_t *
word(const struct image *im)
{
	return im->copy ? NULL : (void *)(im->base + IMAGE_WORD);
}

static struct redo *
redo(const struct image *im)
{
	return (struct redo *)(void *)(im->base + REDO_OFF);
}

uint64_t
image_load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

static void
put(_Atomic uint64_t *p, uint64_t v)
{
	IMAGE_STORE_HOOK();
	atomic_store_explicit(p, v, memory_order_release);
}

void
image_store(struct image *im, _Atomic uint64_t *p, uint64_t v)
{
	put(p, v);
	image_pass(im, (size_t)((char *)p - im->base), 8);
}

/* Truncated under us: put zeros where the file was and go on; the next
 * image_begin says that it is lost. Jumping out was tried in thought only: the
 * jump would have to leave from any load of any caller. */
static void
on_bus(int sig, siginfo_t *info, void *context)
{
	char *at = info->si_addr;
	struct image *im;

	for (im = images; im != NULL; im = im->next) {
		if (im->fd < 0 || at < im->base || at >= im->base + im->len)
			continue;
		if (mmap(im->base, im->len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    MAP_FAILED)
			break;
		im->lost = 1;
		return;
	}
	if (old_bus.sa_flags & SA_SIGINFO && old_bus.sa_sigaction != NULL &&
	    old_bus.sa_sigaction != on_bus)
		old_bus.sa_sigaction(sig, info, context);
	else
		signal(sig, SIG_DFL);	/* faults again, and ends */
}

static void
watch(struct image *im)
{
	struct sigaction sa = { .sa_sigaction = on_bus,
	    .sa_flags = SA_SIGINFO | SA_NODEFER }, now;

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGBUS, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO
	    && now.sa_sigaction == on_bus)) {
		old_bus = now;
		sigaction(SIGBUS, &sa, NULL);
	}
	im->next = images;
	images = im;
}

static void
unwatch(struct image *im)
{
	struct image *p = images;

	if (p == im)
		images = im->next;
	while (p != NULL && p->next != im)
		p = p->next;
	if (p != NULL)
		p->next = im->next;
}

int
image_attach(struct image *im, int fd, size_t len, bool copy)
{
	bool shared = fd >= 0 && !copy;
	void *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, shared ? MAP_SHARED :
	    MAP_PRIVATE | MAP_ANONYMOUS, shared ? fd : -1, 0);
	if (p == MAP_FAILED)
		return -1;
	*im = (struct image){ .fd = fd, .copy = copy, .base = p, .len = len,
	    .size = len - IMAGE_DATA };
	latch_init(&im->latch, fd, IMAGE_LOCK, IMAGE_LIFE);
	watch(im);
	if (copy && site_read(fd, im->base, len, 0) < 0) {
		image_detach(im);
		return -1;
	}
	return 0;
}

void
image_detach(struct image *im)
{
	if (im->base == NULL)
		return;
	image_end(im);
	unwatch(im);
	munmap(im->base, im->len);
	*im = (struct image){ .fd = -1, .latch.number = -1 };
}

int
image_hold(struct image *im, bool living, int64_t ms)
{
	if (living || im->copy)
		return latch_take(&im->latch, word(im), ms);
	latch_seize(&im->latch, word(im));
	return 0;
}

int
image_claim(struct image *im, int start)
{
	return latch_claim(&im->latch, word(im), start);
}

/* Remote files: reads and writes in place of the mapping. */

void
image_pass(struct image *im, size_t off, size_t n)
{
	if (im->copy && site_write(im->fd, im->base + off, n, (off_t)off) < 0)
		im->lost = 1;
}

static void
pass_live(struct image *im)
{
	image_pass(im, IMAGE_LIVE, sizeof(struct image_live));
}

static int
fetch(struct image *im)
{
	if (site_read(im->fd, im->base, IMAGE_DATA, 0) < 0)
		return -1;
	if (image_load(&image_live(im)->seq) == im->copied &&
	    image_load(&image_live(im)->mark) == 0)
		return 0;
	if (site_read(im->fd, im->base + IMAGE_DATA, im->size, IMAGE_DATA) < 0)
		return -1;
	im->copied = image_load(&image_live(im)->seq);
	return 0;
}

/* The redo record. */

static uint64_t
redo_sum(const struct image *im, uint64_t n)
{
	const struct redo *r = redo(im);

	return save_sum(save_sum(n, (const void *)r->val, n * 8),
	    (const void *)r->off, n * 4);
}

static void
redo_apply(struct image *im, uint64_t n)
{
	struct redo *r = redo(im);
	uint64_t i;
	uint32_t off;

	/* Whoever sees a word of the change sees the mark, too, though it may
	 * be a dead process's: the fence of image_peeked meets this one. */
	atomic_thread_fence(memory_order_seq_cst);
	for (i = 0; i < n; i++) {
		off = atomic_load_explicit(&r->off[i], memory_order_relaxed);
		IMAGE_STORE_HOOK();
		atomic_store_explicit((_Atomic uint64_t *)(void *)
		    (im->base + IMAGE_DATA + off), atomic_load_explicit(
		    &r->val[i], memory_order_relaxed), memory_order_relaxed);
		image_pass(im, IMAGE_DATA + off, 8);
	}
	put(&image_live(im)->seq, image_load(&image_live(im)->mark));
	put(&image_live(im)->mark, 0);
	pass_live(im);
	im->copied = image_load(&image_live(im)->seq);
}

int
image_finish(struct image *im)
{
	const struct redo *r = redo(im);
	uint64_t n = image_load(&image_live(im)->n), i;

	if (image_load(&image_live(im)->mark) == 0)
		return 0;
	if (n > IMAGE_RECORD ||
	    redo_sum(im, n) != image_load(&image_live(im)->sum))
		return -1;
	for (i = 0; i < n; i++) {
		if (r->off[i] % 8 != 0 || r->off[i] > im->size - 8)
			return -1;
	}
	redo_apply(im, n);
	return 0;
}

/* Eight words at once: of the 155 of a slot a change touches a dozen. The
 * vector types of gcc and clang become SSE2 or NEON. */
static bool
same(const uint64_t *a, const uint64_t *b)
{
	typedef uint64_t pair
	    __attribute__((vector_size(16), aligned(8), may_alias));
	const pair *is = (const void *)a, *to = (const void *)b;
	const pair differs = (is[0] ^ to[0]) | (is[1] ^ to[1]) |
	    (is[2] ^ to[2]) | (is[3] ^ to[3]);

	return (differs[0] | differs[1]) == 0;
}

/* One entry: that word of the data gets this value. */
static void
redo_put(struct redo *r, uint64_t n, size_t off, uint64_t v)
{
	put(&r->val[n], v);
	IMAGE_STORE_HOOK();
	atomic_store_explicit(&r->off[n], (uint32_t)off, memory_order_relaxed);
}

/* An entry for each word that is different. */
static uint64_t
redo_fill(struct image *im)
{
	struct redo *r = redo(im);
	const struct image_stage *s;
	const uint64_t *is, *to;
	size_t k, end, words;
	uint64_t n = 0;

	for (s = im->stages; s < im->stages + im->nstages; s++) {
		is = (const void *)(im->base + IMAGE_DATA + s->off);
		to = s->copy;
		words = s->len / 8;
		for (k = 0; k < words; k = end) {
			end = words - k < 8 ? words : k + 8;
			if (end == k + 8 && same(is + k, to + k))
				continue;
			/* Never more than IMAGE_RECORD: IMAGE_BYTES. */
			for (; k < end; k++)
				if (is[k] != to[k])
					redo_put(r, n++, s->off + k * 8, to[k]);
		}
	}
	return n;
}

void *
image_stage(struct image *im, size_t off, size_t len)
{
	struct image_stage *s;
	size_t i;

	assert(off % 8 == 0 && len % 8 == 0);
	for (i = 0; i < im->nstages; i++) {
		if (im->stages[i].off == off && im->stages[i].len == len)
			return im->stages[i].copy;
	}
	if (im->nstages == IMAGE_STAGES || len > IMAGE_BYTES - im->staged ||
	    off > im->size || len > im->size - off)
		return NULL;
	s = &im->stages[im->nstages++];
	s->off = off;
	s->len = len;
	s->copy = im->bytes + im->staged / 8;
	im->staged += len;
	memcpy(s->copy, im->base + IMAGE_DATA + off, len);
	return s->copy;
}

void
image_drop(struct image *im)
{
	im->nstages = 0;
	im->staged = 0;
}

void
image_commit(struct image *im)
{
	uint64_t n, i;

	if (im->fd < 0) {
		for (i = 0; i < im->nstages; i++)
			memcpy(im->base + IMAGE_DATA + im->stages[i].off,
			    im->stages[i].copy, im->stages[i].len);
		image_drop(im);
		return;
	}
	n = redo_fill(im);
	image_drop(im);
	if (n == 0)
		return;
	put(&image_live(im)->n, n);
	put(&image_live(im)->sum, redo_sum(im, n));
	if (im->copy)
		image_pass(im, REDO_OFF, sizeof(struct redo));
	put(&image_live(im)->mark, image_load(&image_live(im)->seq) + 1);
	pass_live(im);
	redo_apply(im, n);
}

int
image_begin(struct image *im)
{
	void *p;
	uint64_t size;

	image_drop(im);
	im->busy = false;
	if (im->fd < 0)
		return 0;
	if (im->lost)
		return -1;
	if (latch_take(&im->latch, word(im), WAIT_MS) < 0) {
		im->busy = errno == EAGAIN;
		return -1;
	}
	if (im->copy && fetch(im) < 0)
		goto lost;
	size = image_load(&image_live(im)->size);
	if (size != im->size) {
		if (size < im->size || size > IMAGE_MAX || im->copy)
			goto lost;
		p = mremap(im->base, im->len, IMAGE_DATA + size,
		    MREMAP_MAYMOVE);
		if (p == MAP_FAILED)
			goto lost;
		im->base = p;
		im->len = IMAGE_DATA + size;
		im->size = size;
	}
	/* Truncated: the last page tells, by SIGBUS. */
	(void)*(volatile char *)(im->base + im->len - 1);
	if (!im->lost && image_finish(im) == 0 && !im->lost)
		return 0;
lost:
	im->lost = 1;
	image_end(im);
	return -1;
}

void
image_end(struct image *im)
{
	image_drop(im);
	if (im->fd >= 0)
		latch_drop(&im->latch, word(im));
}

uint64_t
image_add(struct image *im, size_t off, uint64_t n)
{
	uint64_t *p, was;

	if (!im->copy)
		return atomic_fetch_add_explicit((_Atomic uint64_t *)(void *)
		    (im->base + IMAGE_DATA + off), n, memory_order_relaxed);
	if (image_begin(im) < 0)
		return 0;
	was = 0;
	if ((p = image_stage(im, off, 8)) != NULL) {
		was = *p;
		*p += n;
		image_commit(im);
	}
	image_end(im);
	return was;
}

uint64_t
image_peek(const struct image *im)
{
	uint64_t seq;

	if (im->fd < 0)
		return 1;
	if (im->copy || im->lost)
		return 0;
	seq = image_load(&image_live(im)->seq);
	if (image_load(&image_live(im)->mark) != 0 ||
	    image_load(&image_live(im)->size) != im->size)
		return 0;
	return seq + 1;
}

bool
image_peeked(const struct image *im, uint64_t number)
{
	if (number == 0)
		return false;
	if (im->fd < 0)
		return true;
	atomic_thread_fence(memory_order_acquire);
	return image_load(&image_live(im)->mark) == 0 &&
	    image_load(&image_live(im)->seq) + 1 == number && !im->lost;
}

int
image_grow(struct image *im, size_t size)
{
	char *p;
	int e = 0;

	if (size <= im->size)
		return 0;
	if (size > IMAGE_MAX || im->copy)
		return -1;
	if (im->fd >= 0)
		e = posix_fallocate(im->fd, 0, (off_t)(IMAGE_DATA + size));
	if (e != 0)
		return -1;
	image_drop(im);
	p = mremap(im->base, im->len, IMAGE_DATA + size, MREMAP_MAYMOVE);
	if (p == MAP_FAILED)
		return -1;
	im->base = p;
	im->len = IMAGE_DATA + size;
	/* Zeros of a growing that was cut, but more after a damage. */
	memset(p + IMAGE_DATA + im->size, 0, size - im->size);
	im->size = size;
	put(&image_live(im)->size, size);
	return 0;
}

