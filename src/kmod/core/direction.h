/* SPDX-License-Identifier: GPL-2.0-only */
/* Which way a packet goes, and which family its headers are of. */
#ifndef MAPMINT_DIRECTION_H
#define MAPMINT_DIRECTION_H

/* Seen from the CE: from the LAN to the domain, or from the domain to the LAN. */
enum mm_direction {
	MM_OUT,
	MM_IN,
};

enum mm_family {
	MM_IPV4,
	MM_IPV6,
};

#endif
