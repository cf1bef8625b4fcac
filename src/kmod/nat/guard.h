/* SPDX-License-Identifier: GPL-2.0-only */
/* What may pass the device by which a NAT's flows leave. */
#ifndef MAPMINT_GUARD_H
#define MAPMINT_GUARD_H

#include <linux/netfilter.h>

extern const struct nf_hook_ops mm_guard_hooks[3];

#endif
