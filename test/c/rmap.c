/*
 * An implementation of the rmap in C (spec 2, 3), independent of the library: an example of another implementation that
 * the vectors test. A slot word is 0, a tagged entry, or a pointer to a list node.
 *
 * -DBUG_NO_SCAN, -DBUG_REVERSED, -DBUG_NO_TAG and -DBUG_MASK each add a bug, which a test must find.
 */
#include "rmap.h"
#include <stdlib.h>

/*
 *  63          52 51                                     12 11         1   0
 *  |    LPID     |   nested gpa, as a 4 KiB frame number    |  zero      |tag|
 */
#define LPID_SHIFT 52
#ifdef BUG_MASK
#define GPA_MASK 0x000ffffffffff800ull /* one bit too many */
#else
#define GPA_MASK 0x000ffffffffff000ull
#endif
#ifdef BUG_NO_TAG
#define TAG 0ull
#else
#define TAG 1ull
#endif
#ifdef BUG_NO_SCAN
#define SCAN 0
#else
#define SCAN 1
#endif

struct node {
	uint64_t next;  /* another node, or in the last node the oldest entry with its tag */
	uint64_t entry; /* tag 0 */
};

/* The nodes are in one pool, so that an invalid pointer can be detected. */
#define NODES (1u << 20)
static struct node pool[NODES];
static struct node *free_list;
static size_t unused, in_use;

static struct node *node_alloc(void)
{
	struct node *node = free_list;

	if (node != NULL)
		free_list = (struct node *)(uintptr_t)node->next;
	else if (unused < NODES)
		node = &pool[unused++];
	if (node != NULL)
		in_use++;
	return node;
}

static void node_free(struct node *node)
{
	node->next = (uintptr_t)free_list;
	free_list = node;
	in_use--;
}

static struct node *node_of(uint64_t word)
{
	uint64_t offset = word - (uintptr_t)pool;

	if ((word & 1) != 0 || offset >= sizeof(pool) || offset % sizeof(struct node) != 0)
		return NULL;
	return (struct node *)(uintptr_t)word;
}

int rmap_is_list(uint64_t word)
{
	return node_of(word) != NULL;
}

size_t rmap_nodes(void)
{
	return in_use;
}

int memslot_init(struct memslot *slot, uint64_t base_gfn, uint64_t npages)
{
	slot->base_gfn = base_gfn;
	slot->npages = npages;
	slot->words = calloc(npages, sizeof(uint64_t));
	return slot->words == NULL ? -1 : 0;
}

static uint64_t *word_of(const struct memslot *slot, uint64_t gfn)
{
	return &slot->words[gfn - slot->base_gfn];
}

/* A walk, newest first. It reads `next` together with the entry, so the caller may free the node. */
struct walk {
	uint64_t word; /* the next word */
	uint64_t entry;
	struct node *node; /* the node of this entry; NULL for an entry in a word */
};

static int walk_next(struct walk *walk)
{
	uint64_t word = walk->word;

	if (word == 0)
		return 0;
	walk->node = node_of(word);
	walk->entry = walk->node != NULL ? walk->node->entry : word & ~TAG;
	walk->word = walk->node != NULL ? walk->node->next : 0;
	return 1;
}

enum outcome rmap_insert(struct memslot *slot, uint64_t gfn, uint32_t lpid, uint64_t gpa, unsigned *steps)
{
	uint64_t entry = (uint64_t)lpid << LPID_SHIFT | (gpa & GPA_MASK);
	uint64_t *link = word_of(slot, gfn), old = *link;
	struct walk walk = { .word = old };
	struct node *node;

	*steps = 0;
	if (old == 0) {
		*link = entry | TAG;
		return EMPTY;
	}
	while (SCAN && walk_next(&walk)) {
		++*steps;
		if (walk.entry == entry)
			return DUPLICATE;
	}
	node = node_alloc();
	if (node == NULL)
		return NO_MEMORY;
#ifdef BUG_REVERSED
	/* at the end of the list, not at its head */
	while (node_of(*link) != NULL)
		link = &node_of(*link)->next;
	node->entry = *link & ~TAG;
	node->next = entry | TAG;
#else
	node->entry = entry;
	node->next = old;
#endif
	*link = (uintptr_t)node;
	return node_of(old) != NULL ? LIST : SECOND;
}

static size_t walk_all(uint64_t word, struct entry *out, size_t max, int take)
{
	struct walk walk = { .word = word };
	size_t n = 0;

	for (; walk_next(&walk); n++) {
		if (n < max) {
			out[n].lpid = walk.entry >> LPID_SHIFT;
			out[n].gpa = walk.entry & GPA_MASK;
		}
		if (take && walk.node != NULL)
			node_free(walk.node);
	}
	return n;
}

size_t rmap_entries(const struct memslot *slot, uint64_t gfn, struct entry *out, size_t max)
{
	return walk_all(*word_of(slot, gfn), out, max, 0);
}

size_t rmap_take_all(struct memslot *slot, uint64_t gfn, struct entry *out, size_t max)
{
	uint64_t word = *word_of(slot, gfn);

	*word_of(slot, gfn) = 0;
	return walk_all(word, out, max, 1);
}
