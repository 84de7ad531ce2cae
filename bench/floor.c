/*
 * The native floor: the time of the same layout and the same algorithm in C (cc -O2). Our own code, written from spec 2
 * to 4 and 6. It reads and writes the same lines as contestant.mjs (see run.mjs), with the same inputs (see inputs.mjs).
 *
 * Two programs: the floor; and, compiled with -DDUTIES, "C with our duties", which also does what the library does for
 * its callers: arguments are 64-bit floats and are checked, outcomes are counted, freed nodes are poisoned and counted,
 * and nested guests are found by a hash of their LPID. Both scan lists of any length, as Linux does.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef uint32_t u32;
typedef uint64_t u64;

static void *need(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* ---- our duties ---- */

#ifdef DUTIES
typedef double arg; /* a JavaScript number */
#define DUTY(statement) statement
#else
typedef u64 arg;
#define DUTY(statement)
#endif

static inline void refuse(const char *name)
{
	fprintf(stderr, "%s: not in range\n", name);
	exit(1);
}

/* A checked argument: an integer in min..max. */
static inline u64 checked(const char *name, arg value, u64 min, u64 max)
{
#ifdef DUTIES
	if (!(value >= (double)min && value <= (double)max) || (double)(u64)value != value)
		refuse(name);
#else
	(void)name, (void)min, (void)max;
#endif
	return (u64)value;
}

/* ---- the list nodes: one buffer that doubles when it is full; an address is an offset in it ---- */

struct node { u64 next, entry; };

static struct { struct node *nodes; u32 room, unused, free, free_nodes; } heap;

#define POISON 0xffffffffull

static void heap_new(void)
{
	free(heap.nodes);
	heap.nodes = need(calloc(64, sizeof(struct node)));
	heap.room = 64;
	heap.unused = 1;
	heap.free = 0;
	heap.free_nodes = 0;
}

static inline struct node *node_at(u64 address)
{
	return (struct node *)((char *)heap.nodes + address);
}

static u64 node_allocate(void)
{
	u64 address = heap.free;
	if (address) {
		heap.free = (u32)node_at(address)->next;
		DUTY(heap.free_nodes--);
		return address;
	}
	if (heap.unused == heap.room) {
		heap.nodes = need(realloc(heap.nodes, 2ull * heap.room * sizeof(struct node)));
		heap.room *= 2;
	}
	return 16ull * heap.unused++;
}

static inline void node_free(u64 address)
{
	node_at(address)->next = heap.free;
	DUTY(node_at(address)->entry = POISON);
	DUTY(heap.free_nodes++);
	heap.free = (u32)address;
}

/* ---- the memslot ---- */

enum outcome { EMPTY, SECOND, LIST, DUPLICATE };

static u64 *words, scan_steps;
static u32 npages_now;
#ifdef DUTIES
static u64 outcomes[4], longest_list;
#endif

static inline u64 pack(u32 lpid, u64 gpa)
{
	return (u64)lpid << 52 | (gpa & 0x000ffffffffff000ull);
}

static enum outcome insert_entry(u32 gfn, u64 entry)
{
	u64 head = words[gfn], next = head, steps = 1;
	if (!head) {
		words[gfn] = entry | 1;
		return EMPTY;
	}
	for (; !(next & 1); next = node_at(next)->next, steps++)
		if (node_at(next)->entry == entry)
			break;
	scan_steps += steps;
	if (!(next & 1) || next == (entry | 1))
		return DUPLICATE;
	u64 address = node_allocate();
	node_at(address)->next = head;
	node_at(address)->entry = entry;
	words[gfn] = address;
	DUTY(if (steps + 1 > longest_list) longest_list = steps + 1);
	return head & 1 ? SECOND : LIST;
}

static enum outcome insert(arg gfn, arg lpid, arg gpa)
{
	u32 index = checked("gfn", gfn, 0, npages_now - 1);
	u64 entry = pack(checked("lpid", lpid, 1, 4095), checked("gpa", gpa, 0, (1ull << 52) - 1));
	enum outcome outcome = insert_entry(index, entry);
	DUTY(outcomes[outcome]++);
	return outcome;
}

/* Removes the list of an rmap slot; `visit` is inlined. */
#define take_all(gfn, visit) do {                               \
	u32 index_ = checked("gfn", gfn, 0, npages_now - 1);    \
	u64 word_ = words[index_], entry_;                      \
	words[index_] = 0;                                       \
	if (!word_)                                             \
		break;                                          \
	while (!(word_ & 1)) {                                  \
		u64 address_ = word_;                           \
		entry_ = node_at(address_)->entry;              \
		word_ = node_at(address_)->next;                \
		visit(entry_);                                  \
		node_free(address_);                            \
	}                                                       \
	entry_ = word_ & ~1ull;                                 \
	visit(entry_);                                          \
} while (0)

static u32 digest;

static inline void mix(u32 value)
{
	digest = digest * 31 + value;
}

static inline void mix_entry(u64 entry)
{
	mix((u32)(entry >> 52));
	mix((u32)(entry >> 12));
}

static void mix_slots(u32 npages)
{
	for (u32 gfn = 0; gfn < npages; gfn++) {
		u64 word = words[gfn];
		if (!word)
			continue;
		for (; !(word & 1); word = node_at(word)->next)
			mix_entry(node_at(word)->entry);
		mix_entry(word & ~1ull);
	}
}

/* ---- the page table of 64 KiB pages: 13, 9, 9, 5 bits; a link is the position of the next page ---- */

#define PRESENT 0x8000000000000000ull
#define LEAF 0x4000000000000000ull
#define FRAME_MASK 0x001fffffffff0000ull

struct table { u64 *words; u32 end, room; };

static void table_new(struct table *t)
{
	free(t->words);
	t->words = need(calloc(8192, 8));
	t->end = t->room = 8192;
}

static u32 table_page(struct table *t, u32 entries)
{
	if (t->end + entries > t->room) {
		t->words = need(realloc(t->words, 16ull * t->room));
		memset(t->words + t->room, 0, 8ull * t->room);
		t->room *= 2;
	}
	t->end += entries;
	return t->end - entries;
}

static u64 *table_link(struct table *t, u32 at, u32 entries)
{
	if (!t->words[at]) {
		u32 page = table_page(t, entries);
		t->words[at] = PRESENT | page;
	}
	return &t->words[at];
}

static void table_set(struct table *t, u64 gpa, u64 leaf)
{
	u32 at = gpa >> 39 & 0x1fff;
	at = (u32)*table_link(t, at, 512) + (gpa >> 30 & 0x1ff);
	at = (u32)*table_link(t, at, 512) + (gpa >> 21 & 0x1ff);
	at = (u32)*table_link(t, at, 32) + (gpa >> 16 & 0x1f);
	t->words[at] = leaf;
}

static u64 *table_find(struct table *t, u64 gpa)
{
	u64 *at = &t->words[gpa >> 39 & 0x1fff];
	if (!*at)
		return NULL;
	at = &t->words[(u32)*at + (gpa >> 30 & 0x1ff)];
	if (*at & LEAF)
		return at;
	if (!*at)
		return NULL;
	at = &t->words[(u32)*at + (gpa >> 21 & 0x1ff)];
	if (*at & LEAF)
		return at;
	if (!*at)
		return NULL;
	at = &t->words[(u32)*at + (gpa >> 16 & 0x1f)];
	return *at ? at : NULL;
}

/* ---- inputs: the same as those of inputs.mjs ---- */

static u32 random_state;

static u32 random32(void)
{
	u32 z = random_state += 0x9e3779b9;
	z = (z ^ z >> 16) * 0x85ebca6b;
	z = (z ^ z >> 13) * 0xc2b2ae35;
	return z ^ z >> 16;
}

static struct { u32 count, *gfn, *lpid; u64 *gpa; } in;

static void shuffle(u32 *array, u32 count)
{
	for (u32 i = count - 1; i > 0; i--) {
		u32 j = (u64)random32() * (i + 1) >> 32, swap = array[i];
		array[i] = array[j];
		array[j] = swap;
	}
}

static u32 *shuffled(u32 count)
{
	u32 *array = need(malloc(4ull * count));
	for (u32 i = 0; i < count; i++)
		array[i] = i;
	shuffle(array, count);
	return array;
}

/* `per` entries for each of `npages` gfns, in random order; the j-th entry of a gfn has LPID 1 + j. */
static void make_input(u32 npages, u32 per)
{
	static u32 had_npages, had_per;
	if (npages == had_npages && per == had_per)
		return;
	had_npages = npages;
	had_per = per;
	free(in.gfn), free(in.lpid), free(in.gpa);
	random_state = 1;
	in.count = npages * per;
	u32 *order = shuffled(in.count);
	in.gfn = need(malloc(4ull * in.count));
	in.lpid = need(malloc(4ull * in.count));
	in.gpa = need(malloc(8ull * in.count));
	for (u32 i = 0; i < in.count; i++) {
		in.gfn[i] = order[i] / per;
		in.lpid[i] = npages == 1 ? 1 : 1 + order[i] % per;
		in.gpa[i] = (npages == 1 ? (u64)order[i] : (u64)(order[i] / per) * 37 % 262144) << 16;
	}
	free(order);
}

/* ---- the workloads ---- */

static u32 duplicates;

static void insert_all(void)
{
	for (u32 i = 0; i < in.count; i++)
		if (insert(in.gfn[i], in.lpid[i], in.gpa[i]) == DUPLICATE)
			duplicates++;
}

static struct table shadows[17];
static u32 met[4]; /* cleared, no guest, no leaf, other frame */

#ifdef DUTIES
/* Finds a nested guest by its LPID: a hash table with open addressing. */
static struct { u32 lpid; struct table *shadow; } registry[64];

static inline u32 registry_at(u32 lpid)
{
	u32 at = lpid * 0x9e3779b1u >> 26;
	while (registry[at].lpid && registry[at].lpid != lpid)
		at = (at + 1) & 63;
	return at;
}

static void register_guest(u32 lpid)
{
	u32 at = registry_at(lpid);
	registry[at].lpid = lpid;
	registry[at].shadow = &shadows[lpid];
}

static inline struct table *shadow_of(u32 lpid)
{
	return registry[registry_at(lpid)].shadow;
}
#else
static void register_guest(u32 lpid)
{
	(void)lpid;
}

static inline struct table *shadow_of(u32 lpid)
{
	return lpid < 17 && shadows[lpid].words ? &shadows[lpid] : NULL;
}
#endif

static inline void clear_leaf(u64 entry, u64 hpa)
{
	struct table *shadow = shadow_of(entry >> 52);
	if (!shadow) {
		met[1]++;
		return;
	}
	u64 *leaf = table_find(shadow, entry);
	if (!leaf) {
		met[2]++;
	} else if ((*leaf & FRAME_MASK) != hpa) {
		met[3]++;
	} else {
		*leaf = 0;
		met[0]++;
	}
}

/* A nested fault: guest table, host table, shadow table, rmap. The host allocates frames in ascending order. */
static struct table guests[17], host;
static u64 next_page;

static void fault(arg lpid_given, arg gpa_given)
{
	u32 lpid = checked("lpid", lpid_given, 1, 4095);
	u64 gpa = checked("gpa", gpa_given, 0, (1ull << 53) - 1);
	struct table *shadow = shadow_of(lpid);
	u64 *leaf = table_find(shadow, gpa), *page, at;
	if (leaf)
		return;
	at = *table_find(&guests[lpid], gpa) & FRAME_MASK;
	page = table_find(&host, at);
	if (!page) {
		table_set(&host, at, PRESENT | LEAF | next_page++ << 16 | 0x187);
		page = table_find(&host, at);
	}
	table_set(shadow, gpa, *page & ~0x80ull);
	if (insert(at >> 16, lpid, gpa) == DUPLICATE)
		duplicates++;
}

static void fault_all(void)
{
	for (u32 i = 0; i < in.count; i++)
		fault(in.lpid[i], in.gpa[i]);
}

static double run_faults(int again, u32 npages, u32 per)
{
	double start, end;
	next_page = 1;
	table_new(&host);
	for (u32 lpid = 1; lpid <= per; lpid++) {
		table_new(&guests[lpid]);
		table_new(&shadows[lpid]);
		register_guest(lpid);
	}
	for (u32 i = 0; i < in.count; i++)
		table_set(&guests[in.lpid[i]], in.gpa[i], PRESENT | LEAF | (u64)in.gfn[i] << 16 | 0x187);
	if (again) {
		fault_all();
		for (u32 lpid = 1; lpid <= per; lpid++)
			table_new(&shadows[lpid]);
	}
	start = now();
	fault_all();
	end = now();
	mix_slots(npages);
	return end - start;
}

static double run(const char *kind, u32 npages, u32 per)
{
	double start, end;
	make_input(npages, per);
	free(words);
	words = need(calloc(npages, 8));
	npages_now = npages;
	heap_new();
	scan_steps = digest = duplicates = 0;

	if (!strncmp(kind, "pack", 4) || !strncmp(kind, "unpack", 6)) {
		u64 *packed = need(calloc(in.count, 8));
		start = now();
		for (u32 i = 0; i < in.count; i++)
			packed[i] = pack(checked("lpid", in.lpid[i], 0, 4095), checked("gpa", in.gpa[i], 0, (1ull << 52) - 1));
		end = now();
		if (*kind == 'u') {
			start = now();
			for (u32 i = 0; i < in.count; i++)
				mix_entry(packed[i]);
			end = now();
		} else {
			for (u32 i = 0; i < in.count; i++)
				mix((u32)packed[i]), mix(packed[i] >> 32);
		}
		free(packed);
		return end - start;
	}

	if (strstr(kind, "fault"))
		return run_faults(kind[0] == 'r', npages, per);

	start = now();
	insert_all();
	end = now();
	if (!strcmp(kind, "insert")) {
		mix_slots(npages);
		return end - start;
	}
	if (!strcmp(kind, "duplicate")) {
		start = now();
		insert_all();
		end = now();
		mix_slots(npages);
		return end - start;
	}

	random_state = 2;
	u32 *order = shuffled(npages);
	if (!strcmp(kind, "take")) {
		start = now();
		for (u32 i = 0; i < npages; i++)
			take_all(order[i], mix_entry);
		end = now();
	} else { /* walk: gfn g is at host page g; one of three entries is stale */
		for (u32 lpid = 1; lpid <= per; lpid++)
			table_new(&shadows[lpid]), register_guest(lpid);
		memset(met, 0, sizeof(met));
		for (u32 i = 0; i < in.count; i++)
			if ((in.gfn[i] + in.lpid[i]) % 3)
				table_set(&shadows[in.lpid[i]], in.gpa[i], PRESENT | LEAF | (u64)in.gfn[i] << 16 | 0x186);
#define clear_one(entry) clear_leaf(entry, (u64)order[i] << 16)
		start = now();
		for (u32 i = 0; i < npages; i++)
			take_all(order[i], clear_one);
		end = now();
		for (int i = 0; i < 4; i++)
			mix(met[i]);
	}
	free(order);
	return end - start;
}

int main(void)
{
	char kind[32];
	u32 npages, per;
	while (scanf("%31s %u %u", kind, &npages, &per) == 3) {
		double ns = run(kind, npages, per);
		mix(duplicates);
		printf("%.0f %u %llu\n", ns, digest, (unsigned long long)scan_steps);
		fflush(stdout);
	}
	return 0;
}
