/* SPDX-License-Identifier: GPL-2.0-only */
/* What an ICMP error is called in the other family (RFC 7915 s4.2, s5.2). */
#ifndef MAPMINT_ICMP_MAP_H
#define MAPMINT_ICMP_MAP_H

#include <linux/types.h>

struct mm_icmp_map {
	u8 type;
	u8 code;
	/* The second word of the header, in host order. */
	u32 rest;
	/* The other family has RFC 4884's extensions for this type. */
	bool extensions;
};

bool mm_is_icmp_error4(u8 type);
bool mm_is_icmp_error6(u8 type);
bool mm_icmp_map_4to6(u8 type, u8 code, u8 pointer, struct mm_icmp_map *map);
bool mm_icmp_map_6to4(u8 type, u8 code, u32 pointer, struct mm_icmp_map *map);
u32 mm_mtu_4to6(u32 mtu, u16 quoted_len, u32 mtu6, u32 mtu4);
u32 mm_mtu_6to4(u32 mtu, u32 mtu6, u32 mtu4);

#endif
