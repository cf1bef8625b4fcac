/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole packet through the module's core, as the module does it to a socket buffer. */
#ifndef MAPMIN_TEST_PACKET_H
#define MAPMIN_TEST_PACKET_H

#include "user_space.h"
#include "core/errors.h"
#include "core/tunnel.h"
#include "core/xlat.h"

#define PACKET_MOST 66000
/* Where a packet without DF is given an identification. */
#define PACKET_ID 0x4d4d

struct packet_paths {
	u32 limit6;
	u32 mtu4;
	bool cut;
};

/*
 * Gives what the core gives: MM_PASS, MM_ORDINARY or MM_DROP. @out: PACKET_MOST octets; @in has to be aligned as a packet is, and
 * is read through a copy of MM_HEAD octets, as of a socket buffer in pieces.
 */
struct mm_verdict packet_out(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len,
			     u8 *out, unsigned int *out_len);
struct mm_verdict packet_in(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len,
			    u8 *out, unsigned int *out_len);
void answer_packet(const struct mm_rules *rules, bool outgoing, char *words);
/* ports.c: false where the question is none of its. */
bool answer_ports(const char *word, char *rest);

#endif
