// SPDX-License-Identifier: GPL-2.0-only
/* What translation and encapsulation both need to send IPv6. */
#include <net/dsfield.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "core/portset.h"
#include "net/routes.h"
#include "net/send.h"

/* The route of a packet. It is dropped if there is none, or if the route leads back into us. */
struct mm_verdict mm_find_route(struct mm_dev *mm, const struct sk_buff *skb,
				const struct ipv6hdr *ip6h, struct dst_entry **route)
{
	*route = mm_route6(mm, &ip6h->saddr, &ip6h->daddr, skb->mark, ipv6_get_dsfield(ip6h));
	if (unlikely((*route)->error))
		return mm_drop(MM_DROP_NO_ROUTE);
	if (mm_is_device((*route)->dev))
		return mm_drop(MM_DROP_LOOP);
	return mm_pass();
}

/* RFC 7599 s10.3, RFC 7597 s8.3.3: others share the address, so the low 16 bits are of our set. */
__be32 mm_fragment_id(struct mm_dev *mm, const struct mm_edge *edge)
{
	u32 number = atomic_inc_return(&mm->fragment_id);

	if (!edge || !edge->psid_len)
		return htonl(number);
	return htonl(number / mm_port_count(edge) << 16 | mm_nth_port(edge, number));
}

/*
 * Makes a socket buffer IPv6 that nobody tracks. The IPv4 flow is tracked; IPv6's tracking would
 * never see what comes back.
 */
void mm_untrack6(struct sk_buff *skb, const struct dst_entry *route)
{
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	nf_reset_ct(skb);
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = route->dev;
}

/* Takes over a socket buffer that has become IPv6, and sends it where its route says. */
void mm_send6(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route)
{
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, route);
	mm_untrack6(skb, route);
	ip6_local_out(mm->net, NULL, skb);
}
