/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only file that knows what differs between kernels. Version numbers mislead, because stable
 * kernels carry later changes: the Makefile looks for each feature in the kernel's headers.
 */
#ifndef MAPMINT_COMPAT_H
#define MAPMINT_COMPAT_H

#include <linux/slab.h>

/* The size of an object was told by hand. */
#ifndef kzalloc_obj
#define kmalloc_obj(object, flags) kmalloc(sizeof(object), flags)
#define kzalloc_obj(object, flags) kzalloc(sizeof(object), flags)
#endif

/* Transmission without the queue's lock was a feature flag before it was a member. */
#ifdef MM_HAVE_LLTX_MEMBER
#define mm_set_lltx(dev) ((dev)->lltx = true)
#else
#define mm_set_lltx(dev) ((dev)->features |= NETIF_F_LLTX)
#endif

/* That a device stays in its network namespace was a feature flag, too. */
#if defined(MM_HAVE_NETNS_IMMUTABLE)
#define mm_set_netns_immutable(dev) ((dev)->netns_immutable = true)
#elif defined(MM_HAVE_NETNS_LOCAL)
#define mm_set_netns_immutable(dev) ((dev)->netns_local = true)
#else
#define mm_set_netns_immutable(dev) ((dev)->features |= NETIF_F_NETNS_LOCAL)
#endif

/* Segmentation in software has a header of its own since it was split off. */
#ifdef MM_HAVE_GSO_HEADER
#include <net/gso.h>
#endif

/* hex2bin moved there. */
#ifdef MM_HAVE_HEX_HEADER
#include <linux/hex.h>
#endif

/* newlink's arguments were gathered in a structure. */
#ifdef MM_HAVE_NEWLINK_PARAMS
#define MM_NEWLINK_ARGUMENTS struct net_device *dev, struct rtnl_newlink_params *params
#else
#define MM_NEWLINK_ARGUMENTS                                                              \
	struct net *src_net, struct net_device *dev, struct nlattr *tb[], struct nlattr *data[]
#endif

#endif
