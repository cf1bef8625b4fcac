/* SPDX-License-Identifier: GPL-2.0-only */
/* The only file that knows what differs between kernels. */
#ifndef MAPMINT_COMPAT_H
#define MAPMINT_COMPAT_H

#include <linux/version.h>

/* Linux 6.12 turned NETIF_F_LLTX into a member, and NETIF_F_NETNS_LOCAL likewise. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define mm_set_lltx(dev) ((dev)->lltx = true)
#else
#define mm_set_lltx(dev) ((dev)->features |= NETIF_F_LLTX)
#endif

/* Linux 6.15 gathered newlink's arguments in a structure. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define MM_NEWLINK_PARAMS 1
#endif

#endif
