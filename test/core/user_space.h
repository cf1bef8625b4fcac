/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module's core (src/kmod/core) needs of the kernel, for user space. The run script makes a directory in which each
 * kernel header that the core names includes this file.
 */
#ifndef MAPMIN_TEST_KERNEL_H
#define MAPMIN_TEST_KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
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

/* The kernel's own user-space headers have these types, and the numbers of ICMP. */
#include <linux/types.h>
#include <linux/dccp.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define BIT(n) (1UL << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define READ_ONCE(x) (x)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define min3(a, b, c) min(min(a, b), c)
static inline unsigned long roundup_pow_of_two(unsigned long value)
{
	unsigned long power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

#define clamp(value, low, high) min(max(value, low), high)
#define round_up(value, unit) (((value) + (unit) - 1) / (unit) * (unit))
#define round_down(value, unit) ((value) / (unit) * (unit))
#define __aligned(octets) __attribute__((aligned(octets)))
#define __force
#define cpu_to_be64(value) htobe64(value)
#define be64_to_cpu(value) be64toh(value)
#define IPV6_MIN_MTU 1280

/* What the kernel keeps for itself of IP. */
#define IP_DF 0x4000
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP6_OFFSET 0xfff8
#define IP6_MF 0x0001
#define NEXTHDR_HOP 0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_AUTH 51
#define NEXTHDR_DEST 60
#define CSUM_MANGLED_0 ((__sum16)0xffff)

struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};

struct rcu_head {
	void *next;
};

struct list_head {
	struct list_head *next, *prev;
};

#include "lists.h"

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

/* Internet checksums, the plain way. */
__wsum csum_partial(const void *data, int length, __wsum sum);

static inline __sum16 csum_fold(__wsum sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

static inline __wsum csum_add(__wsum a, __wsum b)
{
	__wsum sum = a + b;

	return sum + (sum < b);
}

static inline __wsum csum_sub(__wsum a, __wsum b)
{
	return csum_add(a, ~b);
}

static inline __wsum csum_unfold(__sum16 sum)
{
	return sum;
}

static inline __sum16 csum_ipv6_magic(const struct in6_addr *source, const struct in6_addr *destination,
				      u32 length, u8 protocol, __wsum sum)
{
	__be32 rest[2] = { htonl(length), htonl(protocol) };

	return csum_fold(csum_partial(rest, 8, csum_partial(source, 16, csum_partial(destination, 16, sum))));
}

static inline __sum16 csum_tcpudp_magic(__be32 source, __be32 destination, u32 length, u8 protocol, __wsum sum)
{
	__be32 all[3] = { source, destination, htonl((u32)protocol << 16 | (length & 0xffff)) };

	return csum_fold(csum_partial(all, 12, sum));
}

static inline __sum16 ip_fast_csum(const void *header, unsigned int words)
{
	return csum_fold(csum_partial(header, words * 4, 0));
}

int in6_pton(const char *text, int length, u8 *to, int delimiter, const char **end);
int scnprintf(char *to, size_t size, const char *format, ...);

#endif
