/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors with the packet that they quote (RFC 7915 s4.2, s4.3, s5.2, s5.3). An error is built
 * anew, as a packet of its own: nearly all of it changes, and it is small.
 */
#ifndef MAPMINT_ERRORS_H
#define MAPMINT_ERRORS_H

#include <linux/in6.h>
#include <linux/types.h>

#include "core/lookup.h"
#include "core/verdict.h"

/* RFC 1812 s4.3.2.3 and RFC 4443 s2.4 (c): how long an error of ours may be, in octets. */
#define MM_ERROR4_MAX 576
#define MM_ERROR6_MAX 1280

/* RFC 7600 s4.7: the source of an error whose sender has no IPv4 address, in host order. */
#define MM_DUMMY4 0xc0000008

/* What errors need to know of the paths. */
struct mm_env {
	const struct mm_rules *rules;
	/* The device's MTU. */
	u32 mtu4;
	/* The largest IPv6 packet on the path to an address, in octets. */
	u32 (*mtu6)(const struct mm_env *env, const struct in6_addr *dst);
	void *context;
};

/* @in is the whole packet; @out has room for MM_ERROR6_MAX or MM_ERROR4_MAX octets. */
struct mm_verdict mm_error4(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
			    unsigned int *out_len);
struct mm_verdict mm_error6(const struct mm_env *env, const u8 *in, unsigned int len, u8 *out,
			    unsigned int *out_len);

#endif
