/* SPDX-License-Identifier: GPL-2.0-only */
/* What the core says is to be done with a packet. */
#ifndef MAPMINT_VERDICT_H
#define MAPMINT_VERDICT_H

#include <linux/types.h>

#include "core/counters.h"

enum mm_outcome {
	/* It goes on. */
	MM_PASS,
	/* It is dropped and counted, and its sender may be due an answer. */
	MM_DROP,
	/* It is no MAP traffic: the stack goes on with it. */
	MM_ORDINARY,
	/* It is an ICMP error, of which another function makes a packet of its own. */
	MM_ICMP_ERROR,
	/* Its headers are longer than what the core was shown. */
	MM_SHOW_MORE,
	/* It is a super-packet, whose segments go on one by one. Only the edge says so. */
	MM_SEGMENT,
};

/* Eight octets, so that it is returned in registers. */
struct mm_verdict {
	u8 outcome;
	/* An enum mm_counter, if the packet is dropped. */
	u8 counter;
	/* The ICMP error that its sender is due, of the packet's own family. Type 0: none. */
	u8 icmp_type;
	u8 icmp_code;
	/* The second word of the error's header, in host order. */
	u32 icmp_rest;
};

static inline struct mm_verdict mm_outcome(enum mm_outcome outcome)
{
	return (struct mm_verdict){ .outcome = outcome };
}

static inline struct mm_verdict mm_pass(void)
{
	return mm_outcome(MM_PASS);
}

static inline struct mm_verdict mm_drop(enum mm_counter counter)
{
	return (struct mm_verdict){ .outcome = MM_DROP, .counter = counter };
}

static inline struct mm_verdict mm_refuse(enum mm_counter counter, u8 type, u8 code, u32 rest)
{
	return (struct mm_verdict){
		.outcome = MM_DROP,
		.counter = counter,
		.icmp_type = type,
		.icmp_code = code,
		.icmp_rest = rest,
	};
}

static inline bool mm_passes(struct mm_verdict verdict)
{
	return verdict.outcome == MM_PASS;
}

#endif
