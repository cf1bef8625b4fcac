/* SPDX-License-Identifier: GPL-2.0-only */
/* Extension headers of IPv6. */
#ifndef MAPMINT_EXTENSION_H
#define MAPMINT_EXTENSION_H

#include "core/packet.h"
#include "core/verdict.h"

/* Nobody sends a packet with more extension headers than this. */
#define MM_MOST_HEADERS 8

struct mm_verdict mm_skip_extensions(const struct mm_packet *packet, u8 *next, unsigned int *at);

#endif
