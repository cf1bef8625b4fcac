/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's lists, bitmaps and memory, as far as endpoint.c needs them. */
#ifndef MAPMIN_TEST_LISTS_H
#define MAPMIN_TEST_LISTS_H

#include <stddef.h>
#include <stdlib.h>

#define GFP_KERNEL 0
#define GFP_ATOMIC 0
#define kvcalloc(count, size, flags) calloc(count, size)
#define kmalloc(size, flags) malloc(size)
#define kvfree free
#define kfree free

#define BITS_PER_LONG (8 * sizeof(long))
#define BITS_TO_LONGS(n) (((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool test_bit(unsigned int n, const unsigned long *map)
{
	return map[n / BITS_PER_LONG] >> n % BITS_PER_LONG & 1;
}

static inline void __set_bit(unsigned int n, unsigned long *map)
{
	map[n / BITS_PER_LONG] |= 1UL << n % BITS_PER_LONG;
}

static inline void __clear_bit(unsigned int n, unsigned long *map)
{
	map[n / BITS_PER_LONG] &= ~(1UL << n % BITS_PER_LONG);
}

static inline unsigned int bitmap_weight(const unsigned long *map, unsigned int size)
{
	unsigned int n, sum = 0;

	for (n = 0; n < size; n++)
		sum += test_bit(n, map);
	return sum;
}

static inline unsigned int find_next_zero_bit(const unsigned long *map, unsigned int size,
					      unsigned int n)
{
	while (n < size && test_bit(n, map))
		n++;
	return n;
}

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))
#define list_first_entry(head, type, member) container_of((head)->next, type, member)

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head->prev = head;
}

static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
	item->next = head;
	item->prev = head->prev;
	head->prev->next = item;
	head->prev = item;
}

static inline void list_del(struct list_head *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
}

static inline void list_move_tail(struct list_head *item, struct list_head *head)
{
	list_del(item);
	list_add_tail(item, head);
}

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head(struct hlist_node *item, struct hlist_head *head)
{
	item->next = head->first;
	if (item->next)
		item->next->pprev = &item->next;
	head->first = item;
	item->pprev = &head->first;
}

static inline void hlist_del(struct hlist_node *item)
{
	*item->pprev = item->next;
	if (item->next)
		item->next->pprev = item->pprev;
}

#define hlist_entry_or_null(node, type, member) ((node) ? container_of(node, type, member) : NULL)
#define hlist_for_each_entry(item, head, member)                                            \
	for (item = hlist_entry_or_null((head)->first, __typeof__(*item), member); item;    \
	     item = hlist_entry_or_null(item->member.next, __typeof__(*item), member))

#endif
