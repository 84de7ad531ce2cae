/*
 * Runs the vectors of level "memslot" from standard input on rmap.c, and writes the same lines with its own results:
 *
 *     nested-rmap vectors --level memslot --ops 100000 | ./driver | nested-rmap vectors --check -
 */
#define _GNU_SOURCE
#include "rmap.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 100000
static struct entry entries[MOST];

static uint64_t number(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	if (at == NULL) {
		fprintf(stderr, "no %s in %s", name, line);
		exit(2);
	}
	return strtoull(at + strlen(name), NULL, 10);
}

static void print_entries(size_t count)
{
	fputs("\"entries\":[", stdout);
	for (size_t i = 0; i < count && i < MOST; i++)
		printf("%s[%" PRIu32 ",%" PRIu64 "]", i == 0 ? "" : ",", entries[i].lpid, entries[i].gpa);
	putchar(']');
}

static void print_word(const struct memslot *slot, uint64_t gfn)
{
	uint64_t word = slot->words[gfn - slot->base_gfn];

	if (rmap_is_list(word))
		fputs(",\"word\":\"list\"", stdout);
	else
		printf(",\"word\":\"0x%" PRIx64 "\"", word);
}

int main(void)
{
	static const char *const outcomes[] = { "empty", "second", "list", "duplicate", "no-memory" };
	struct memslot slot;
	char *line = NULL, *answer;
	size_t size = 0;

	if (getline(&line, &size, stdin) < 0 || memslot_init(&slot, number(line, "\"baseGfn\":"), number(line, "\"npages\":")) != 0)
		return 2;
	fputs(line, stdout);
	while (getline(&line, &size, stdin) > 0 && (answer = strstr(line, "\"answer\":")) != NULL) {
		uint64_t gfn = number(line, "\"gfn\":");

		printf("%.*s\"answer\":{", (int)(answer - line), line);
		if (strstr(line, "\"op\":\"insert\"") != NULL) {
			unsigned steps;
			enum outcome outcome = rmap_insert(&slot, gfn, number(line, "\"lpid\":"), number(line, "\"gpa\":"), &steps);

			printf("\"outcome\":\"%s\",\"scanSteps\":%u", outcomes[outcome], steps);
			print_word(&slot, gfn);
			printf(",\"nodes\":%zu", rmap_nodes());
		} else if (strstr(line, "\"op\":\"entries\"") != NULL) {
			print_entries(rmap_entries(&slot, gfn, entries, MOST));
			print_word(&slot, gfn);
		} else {
			print_entries(rmap_take_all(&slot, gfn, entries, MOST));
			printf(",\"nodes\":%zu", rmap_nodes());
		}
		puts("}}");
	}
	return 0;
}
