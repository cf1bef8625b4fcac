/* SPDX-License-Identifier: GPL-2.0-only */
/* What the control file says about NAT44 into the port set. */
#ifndef MAPMINT_NAT_KEYS_H
#define MAPMINT_NAT_KEYS_H

#include <linux/if.h>
#include <linux/types.h>

/* The most ranges of reserved ports. */
#define MM_MAX_RESERVED 512

struct mm_nat_keys {
	/* While this is false, the other members mean nothing. */
	bool on;
	/*
	 * RFC 4787 s5: everybody may use a mapping. While this is false, only the hosts that the
	 * endpoint has sent something to.
	 */
	bool endpoint_filter;
	/* Where the flows leave. Empty: by the device itself. */
	char device[IFNAMSIZ];
	u16 reserved;
	struct mm_reserved {
		u16 first;
		u16 last;
	} range[MM_MAX_RESERVED];
};

#endif
