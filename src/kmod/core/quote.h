/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet that an ICMP error quotes: what both families read of it and write of it. */
#ifndef MAPMINT_QUOTE_H
#define MAPMINT_QUOTE_H

#include <linux/in6.h>
#include <linux/types.h>

#include "core/direction.h"
#include "core/portset.h"

/* The octets of an ICMP header before the quoted packet. */
#define MM_ICMP_LEN 8

/* An error as it came: its header, the quoted packet, and RFC 4884's extensions behind that. */
struct mm_error {
	u8 type;
	u8 code;
	__be32 rest;
	const u8 *quote;
	unsigned int quote_len;
	const u8 *extension;
	unsigned int extension_len;
};

/* The quoted packet, as far as it is there. */
struct mm_quoted {
	struct mm_port src;
	struct mm_port dst;
	/* The octets before its transport header, and those that it had from there on. */
	unsigned int header;
	int length;
	u8 protocol;
	u8 tos;
	u8 ttl;
	u32 id;
	u16 offset;
	bool fragment;
	bool more;
};

/* What is written: octets up to @limit. The quoted packet begins at @start. */
struct mm_writer {
	u8 *out;
	unsigned int len;
	unsigned int start;
	unsigned int limit;
};

bool mm_read_error(const u8 *in, unsigned int len, unsigned int at, enum mm_family family,
		   struct mm_error *error);
bool mm_quoted_ports(const struct mm_error *error, enum mm_family family,
		     struct mm_quoted *quoted);
void mm_copy_quoted(struct mm_writer *w, const struct mm_error *error,
		    const struct mm_quoted *quoted, const __be32 *addr4,
		    const struct in6_addr *addr6, enum mm_family to_family);
u32 mm_append_extension(struct mm_writer *w, const struct mm_error *error,
			enum mm_family to_family);

#endif
