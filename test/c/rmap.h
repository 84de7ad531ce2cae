/* The rmap of one memslot: rmap slots and lists (spec 2, 3). Written only from the specification. */
#ifndef RMAP_H
#define RMAP_H
#include <stddef.h>
#include <stdint.h>

enum outcome { EMPTY, SECOND, LIST, DUPLICATE, NO_MEMORY };

struct entry {
	uint32_t lpid;
	uint64_t gpa;
};

struct memslot {
	uint64_t base_gfn, npages;
	uint64_t *words; /* one rmap slot per gfn */
};

/* Returns 0, or -1 if there is no memory. */
int memslot_init(struct memslot *slot, uint64_t base_gfn, uint64_t npages);
/* Adds an entry to a gfn's rmap slot; *steps is the number of entries compared. */
enum outcome rmap_insert(struct memslot *slot, uint64_t gfn, uint32_t lpid, uint64_t gpa, unsigned *steps);
/* Copies at most max entries, newest first. Returns the number of all entries. */
size_t rmap_entries(const struct memslot *slot, uint64_t gfn, struct entry *out, size_t max);
/* The same, and empties the rmap slot: every node is freed after its `next` was read. */
size_t rmap_take_all(struct memslot *slot, uint64_t gfn, struct entry *out, size_t max);
/* Whether a slot word points to a list node. */
int rmap_is_list(uint64_t word);
/* List nodes in use. */
size_t rmap_nodes(void);

#endif
