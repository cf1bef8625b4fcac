/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the NAT core asks us about a new flow. */
#ifndef MAPMINT_NAT_HOOK_H
#define MAPMINT_NAT_HOOK_H

#include <linux/netfilter.h>

extern const struct nf_hook_ops mm_nat_core_hooks[2];

#endif
