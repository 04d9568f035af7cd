/* A day of a fleet is 100,000 entries, held by a long-lived mount. So an entry is 40 bytes and its words, packed into large
 * blocks: about 11 MB for that day, and no work for malloc.
 *
 * One file written here must not cost a new listing, nor a copy of the old one: items are changed in place while the catalog
 * alone holds the listing, which is nearly always. What a change leaves behind in the blocks is taken back by the next
 * copy or the next listing. */
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (16 * 1024)

struct pgofs_text {
	struct pgofs_text *next;
	size_t len, cap;
	char bytes[];
};

struct pgofs_listing *pgofs_listing_new(void)
{
	struct pgofs_listing *l = calloc(1, sizeof *l);
	if (l) {
		atomic_init(&l->refs, 1);
		l->memory_bytes = sizeof *l;
	}
	return l;
}

struct pgofs_listing *pgofs_listing_ref(struct pgofs_listing *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void pgofs_listing_unref(struct pgofs_listing *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (struct pgofs_text *t = l->texts, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	free(l->items);
	free(l);
}

/* Room for `len` more bytes of words, in small blocks while the listing is small. */
static struct pgofs_text *reserve_text(struct pgofs_listing *l, size_t len)
{
	if (l->texts && l->texts->cap - l->texts->len >= len)
		return l->texts;
	size_t cap = l->texts ? l->texts->cap * 2 : 256;
	if (cap > TEXT_BYTES)
		cap = TEXT_BYTES;
	if (cap < len)
		cap = len;
	struct pgofs_text *t = malloc(sizeof *t + cap);
	if (!t)
		return NULL;
	*t = (struct pgofs_text){ .next = l->texts, .cap = cap };
	l->texts = t;
	l->memory_bytes += sizeof *t + cap;
	return t;
}

static const char *keep(struct pgofs_text *t, const char *text, size_t size)
{
	char *at = t->bytes + t->len;
	memcpy(at, text, size);
	t->len += size;
	return at;
}

static int reserve_item(struct pgofs_listing *l)
{
	if (l->n < l->cap)
		return 0;
	size_t cap = l->cap ? l->cap + l->cap / 2 : 8;
	struct pgofs_item *items = reallocarray(l->items, cap, sizeof *items);
	if (!items)
		return -ENOMEM;
	l->memory_bytes += (cap - l->cap) * sizeof *items;
	l->items = items;
	l->cap = cap;
	return 0;
}

size_t pgofs_listing_seek(const struct pgofs_listing *l, const char *name)
{
	size_t low = 0, high = l->n;
	if (high && strcmp(l->items[high - 1].name, name) < 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(l->items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct pgofs_item *pgofs_listing_find(const struct pgofs_listing *l, const char *name)
{
	size_t at = pgofs_listing_seek(l, name);
	return at < l->n && !strcmp(l->items[at].name, name) ? &l->items[at] : NULL;
}

int pgofs_listing_set(struct pgofs_listing *l, const char *name, bool is_dir, const struct pgofs_stored *stored)
{
	size_t at = pgofs_listing_seek(l, name);
	bool replaces = at < l->n && !strcmp(l->items[at].name, name);
	const char *version = is_dir ? "" : stored->version;
	size_t name_size = strlen(name) + 1, version_size = strlen(version) + 1;

	struct pgofs_text *t = reserve_text(l, name_size + version_size);
	if (!t || (!replaces && reserve_item(l) < 0))
		return -ENOMEM;
	struct pgofs_item item = { .name = keep(t, name, name_size),
				   .version = keep(t, version, version_size),
				   .is_dir = is_dir,
				   .size_bytes = is_dir ? 0 : stored->size_bytes,
				   .mtime_ns = is_dir ? 0 : stored->mtime_ns };
	if (!replaces) {
		memmove(l->items + at + 1, l->items + at, (l->n - at) * sizeof item);
		l->n++;
	}
	l->items[at] = item;
	return 0;
}

void pgofs_listing_drop(struct pgofs_listing *l, const char *name)
{
	size_t at = pgofs_listing_seek(l, name);
	if (at == l->n || strcmp(l->items[at].name, name) != 0)
		return;
	memmove(l->items + at, l->items + at + 1, (l->n - at - 1) * sizeof l->items[0]);
	l->n--;
}

static struct pgofs_listing *copy_of(const struct pgofs_listing *l)
{
	_cleanup_(pgofs_listing_unrefp) struct pgofs_listing *copy = pgofs_listing_new();
	struct pgofs_stored stored = { 0 };
	if (copy)
		copy->is_bare = l->is_bare;
	for (size_t i = 0; copy && i < l->n; i++) {
		const struct pgofs_item *item = &l->items[i];
		stored.size_bytes = item->size_bytes;
		stored.mtime_ns = item->mtime_ns;
		strcpy(stored.version, item->version); /* it came from a pgofs_stored, so it fits */
		if (pgofs_listing_set(copy, item->name, item->is_dir, &stored) < 0)
			return NULL;
	}
	return STEAL(copy);
}

int pgofs_listing_own(struct pgofs_listing **l)
{
	if (atomic_load_explicit(&(*l)->refs, memory_order_acquire) == 1)
		return 0;
	struct pgofs_listing *copy = copy_of(*l);
	if (!copy)
		return -ENOMEM;
	pgofs_listing_unref(*l);
	*l = copy;
	return 0;
}
