/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module's core (rules.c, icmp_map.c, grammar.c) needs of the kernel, for user space. The run script makes a
 * directory in which each kernel header that they name includes this file.
 */
#ifndef MAPMIN_TEST_KERNEL_H
#define MAPMIN_TEST_KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int netdev_tx_t;

/* The kernel's own user-space headers have these types, and the numbers of ICMP. */
#include <linux/types.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ipv6.h>

#define __rcu
#define __percpu
#define BIT(n) (1UL << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define READ_ONCE(x) (x)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define min3(a, b, c) min(min(a, b), c)
#define IPV6_MIN_MTU 1280

struct rcu_head {
	void *next;
};

struct list_head {
	struct list_head *next, *prev;
};

struct mm_stats;
struct mm_dev;
struct net;
struct sk_buff;
struct net_device;
struct ethtool_ops {
	int unused;
};

#define net_generic(net, id) ((struct mm_net *)(net))
#define this_cpu_inc(x) ((void)(x)++)

static inline bool ipv6_prefix_equal(const struct in6_addr *a, const struct in6_addr *b,
				     unsigned int length)
{
	unsigned int octets = length / 8, bits = length % 8;

	if (memcmp(a, b, octets))
		return false;
	return !bits || !((a->s6_addr[octets] ^ b->s6_addr[octets]) >> (8 - bits));
}

static inline bool ipv6_addr_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static inline void ipv6_addr_prefix(struct in6_addr *to, const struct in6_addr *from, int length)
{
	int octets = length / 8, bits = length % 8;
	struct in6_addr copy = *from;

	memset(to, 0, sizeof(*to));
	memcpy(to, &copy, octets);
	if (bits)
		to->s6_addr[octets] = copy.s6_addr[octets] & (0xff00 >> bits);
}

static inline bool dev_valid_name(const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
			return false;
	return true;
}

#define struct_size(p, member, count) (sizeof(*(p)) + sizeof((p)->member[0]) * (count))

typedef int (*cmp_r_func_t)(const void *a, const void *b, const void *priv);

static inline void sort_r(void *base, size_t num, size_t size, cmp_r_func_t cmp, void *swap,
			  const void *priv)
{
	(void)swap;
	qsort_r(base, num, size, (int (*)(const void *, const void *, void *))cmp, (void *)priv);
}

int in6_pton(const char *text, int length, u8 *to, int delimiter, const char **end);
int scnprintf(char *to, size_t size, const char *format, ...);

#endif
