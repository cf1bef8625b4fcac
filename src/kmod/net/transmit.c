// SPDX-License-Identifier: GPL-2.0-only
/* Packets on their way out: what the core says, done to a socket buffer, and sent as IPv6. */
#include <linux/icmp.h>
#include <net/dsfield.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>

#include "mapmint.h"
#include "net/skb.h"
#include "core/xlat.h"

/*
 * Offloads that a change of IP headers leaves as they are. Others (lists of whole packets, tunnels)
 * hold further headers that would stay behind.
 */
#define MM_GSO_KEPT (SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID |      \
		     SKB_GSO_DODGY | SKB_GSO_UDP_L4)

/* A socket buffer that is an IPv6 packet now goes where its route says; takes it over. */
int mm_send6(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route)
{
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, route);
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	/* The IPv4 flow was tracked. What comes back is taken before IPv6's tracking sees it. */
	nf_reset_ct(skb);
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = route->dev;
	return ip6_local_out(mm->net, NULL, skb);
}

/* A route that leads somewhere else than back into us, or why there is none. */
int mm_find_route(struct mm_dev *mm, const struct sk_buff *skb, const struct ipv6hdr *ip6h,
		  struct dst_entry **route)
{
	*route = mm_route6(mm, &ip6h->saddr, &ip6h->daddr, skb->mark, ipv6_get_dsfield(ip6h));
	if (unlikely((*route)->error))
		return MM_DROP_NO_ROUTE;
	return mm_is_device((*route)->dev) ? MM_DROP_LOOP : 0;
}

/* RFC 7599 s10.3, RFC 7597 s8.3.3: the low 16 bits are of our set: others share the address. */
__be32 mm_fragment_id(struct mm_dev *mm, const struct mm_edge *edge)
{
	u32 number = atomic_inc_return(&mm->fragment_id);

	if (!edge || !edge->psid_len)
		return htonl(number);
	return htonl(number / mm_port_count(edge) << 16 | mm_nth_port(edge, number));
}

/* Cuts a packet that may be cut into pieces of @mtu octets; takes it over. */
static int mm_send_fragments(struct mm_dev *mm, struct sk_buff *skb, struct dst_entry *route,
			     unsigned int mtu, const struct mm_xlat *x)
{
	unsigned int header = sizeof(struct ipv6hdr);
	struct ip6_frag_state state;
	struct sk_buff *piece;
	u8 *next;

	skb_dst_drop(skb);
	skb_dst_set_noref(skb, route);
	/* What is a fragment already is not cut again. */
	if (x->size > header)
		return MM_DROP_TOO_BIG;
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return MM_DROP_MEMORY;
	nf_reset_ct(skb);
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = route->dev;
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	next = &ipv6_hdr(skb)->nexthdr;
	ip6_frag_init(skb, header, mtu - header - sizeof(struct frag_hdr),
		      route->dev->needed_tailroom, LL_RESERVED_SPACE(route->dev), next, *next,
		      mm_fragment_id(mm, x->edge), &state);
	while (state.left > 0) {
		piece = ip6_frag_next(skb, &state);
		if (IS_ERR(piece))
			return MM_DROP_MEMORY;
		ip6_local_out(mm->net, NULL, piece);
	}
	consume_skb(skb);
	return MM_XLAT_OK;
}

bool mm_gso_foreign(const struct sk_buff *skb)
{
	return skb_is_gso(skb) && skb_shinfo(skb)->gso_type & ~MM_GSO_KEPT;
}

/* The segments of a super-packet, which is gone then; NULL where there is no memory. */
struct sk_buff *mm_segment(struct sk_buff *skb)
{
	struct sk_buff *segments;

	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	segments = skb_gso_segment(skb, 0);
	if (IS_ERR_OR_NULL(segments)) {
		kfree_skb(skb);
		return NULL;
	}
	consume_skb(skb);
	return segments;
}

/*
 * Puts the new headers in the place of the old ones, with @room octets before them. -ENOMEM, and
 * the packet is as it was.
 */
int mm_apply(struct sk_buff *skb, const struct mm_xlat *x, unsigned int room)
{
	unsigned int reach = max(x->check_at + 2, x->strip + 1) & -(x->check_at || x->retype);
	int more = (int)(x->size - x->strip + room) - (int)skb_headroom(skb);
	struct skb_shared_info *info;

	reach = max(reach, x->strip);
	if (!pskb_may_pull(skb, reach))
		return -ENOMEM;
	if ((more > 0 || (skb_cloned(skb) && !skb_clone_writable(skb, reach))) &&
	    pskb_expand_head(skb, SKB_DATA_ALIGN(max(more, 0)), 0, GFP_ATOMIC))
		return -ENOMEM;
	if (x->check_at) {
		__sum16 *check = (__sum16 *)(skb->data + x->check_at);

		if (skb->ip_summed == CHECKSUM_COMPLETE)
			skb->csum = csum_add(csum_sub(skb->csum, csum_unfold(*check)),
					     csum_unfold(x->check));
		*check = x->check;
	}
	if (x->retype) {
		skb->data[x->strip] = x->type;
		/* The sum that hardware made is of the old type. */
		if (skb->ip_summed == CHECKSUM_COMPLETE)
			skb->ip_summed = CHECKSUM_NONE;
	}
	skb_postpull_rcsum(skb, skb->data, x->strip);
	__skb_pull(skb, x->strip);
	skb_reset_transport_header(skb);
	__skb_push(skb, x->size);
	/* A size that the compiler knows needs no call. */
	if (likely(x->size == sizeof(struct ipv6hdr)))
		memcpy(skb->data, x->header, sizeof(struct ipv6hdr));
	else
		memcpy(skb->data, x->header, x->size);
	skb_postpush_rcsum(skb, skb->data, x->size);
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb->mac_len = 0;
	info = skb_shinfo(skb);
	if (skb_is_gso(skb) && info->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6))
		info->gso_type = (info->gso_type & ~SKB_GSO_TCP_FIXEDID) ^
				 (SKB_GSO_TCPV4 | SKB_GSO_TCPV6);
	return 0;
}

/* What the core is shown of a packet: as a rule its headers are in one piece. */
void mm_show(const struct sk_buff *skb, bool cut, struct mm_packet *packet)
{
	packet->head = skb->data;
	packet->head_len = skb_headlen(skb);
	packet->len = skb->len;
	packet->partial = skb->ip_summed == CHECKSUM_PARTIAL;
	packet->cut = cut;
}

/* Where that was not enough. False: there is no memory. */
bool mm_show_more(struct sk_buff *skb, struct mm_packet *packet)
{
	if (!pskb_may_pull(skb, min_t(unsigned int, skb->len, MM_HEAD)))
		return false;
	mm_show(skb, packet->cut, packet);
	return true;
}

u32 mm_env_mtu6(const struct mm_env *env, const struct in6_addr *dst)
{
	return mm_mtu6(env->context, dst, 0);
}

/* An ICMP error of ours, about a packet that came in. */
static int mm_transmit_error(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb)
{
	struct mm_env env = { rules, READ_ONCE(mm->dev->mtu), mm_env_mtu6, mm };
	struct dst_entry *route;
	struct sk_buff *out;
	unsigned int length;
	int verdict;

	if (skb->len > MM_ERROR_MOST)
		return MM_DROP_HEADER;
	if ((skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) || skb_linearize(skb))
		return MM_DROP_MEMORY;
	out = alloc_skb(LL_MAX_HEADER + MM_ERROR6_MAX, GFP_ATOMIC);
	if (!out)
		return MM_DROP_MEMORY;
	skb_reserve(out, LL_MAX_HEADER);
	verdict = mm_error4(&env, skb->data, skb->len, out->data, &length);
	if (!verdict) {
		skb_put(out, length);
		skb_reset_network_header(out);
		skb_set_transport_header(out, sizeof(struct ipv6hdr));
		out->mark = skb->mark;
		out->priority = skb->priority;
		verdict = mm_find_route(mm, out, ipv6_hdr(out), &route);
	}
	if (verdict) {
		kfree_skb(out);
		return verdict;
	}
	mm_count_passed(mm, MM_4TO6, 1);
	dev_sw_netstats_tx_add(mm->dev, 1, skb->len);
	mm_send6(mm, out, route);
	consume_skb(skb);
	return 0;
}

void mm_answer4(struct sk_buff *skb, u8 type, u8 code, u32 rest)
{
	/* A queue may have had the control block since. */
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	icmp_send(skb, type, code, htonl(rest));
}

/* The largest IPv6 packet on the way, and the largest piece of one that may be cut. */
static unsigned int mm_piece(struct mm_dev *mm, const struct dst_entry *route, unsigned int mtu6)
{
	/* s4: where nobody has said what the path takes, as much as every path does. */
	if (dst_metric_raw(route, RTAX_MTU))
		return mtu6;
	return min(mtu6, READ_ONCE(mm->lowest_mtu));
}

int mm_transmit_segments(struct mm_dev *mm, struct sk_buff *skb)
{
	struct sk_buff *segment, *next;

	segment = mm_segment(skb);
	if (!segment)
		mm_count_drop(mm, MM_DROP_MEMORY, true);
	for (; segment; segment = next) {
		next = segment->next;
		skb_mark_not_on_list(segment);
		mm_transmit(mm, segment);
	}
	return 0;
}

/* UDP without a checksum (RFC 7915 s4.5). */
static void mm_complete(struct sk_buff *skb, const struct ipv6hdr *ip6h, struct mm_xlat *x)
{
	x->check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, x->sum, IPPROTO_UDP,
				   skb_checksum(skb, x->strip, x->sum, 0)) ?: CSUM_MANGLED_0;
}

/*
 * Whether a packet fits the path, or may be cut into pieces of *@piece octets. MM_XLAT_MORE: its
 * segments are to be sent one by one.
 */
static int mm_fit(struct mm_dev *mm, struct sk_buff *skb, const struct dst_entry *route,
		  const struct mm_xlat *x, unsigned int *piece)
{
	unsigned int limit = max_t(unsigned int, dst_mtu(route), IPV6_MIN_MTU);
	int growth = x->size - x->strip;

	if (x->df && !IPCB(skb)->frag_max_size && !skb->ignore_df) {
		*piece = limit;
		if (!mm_exceeds(skb, limit - growth))
			return 0;
		/* What a packet without options may have: theirs do not travel. */
		mm_answer4(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
			   limit + sizeof(struct iphdr) - x->size);
		return MM_DROP_TOO_BIG;
	}
	*piece = mm_piece(mm, route, limit);
	return skb_is_gso(skb) && mm_exceeds(skb, *piece - growth) ? MM_XLAT_MORE : 0;
}

/* Gives MM_XLAT_OK when the packet has been taken over, or why it is to be dropped. */
static int mm_transmit_one(struct mm_dev *mm, const struct mm_rules *rules, struct sk_buff *skb)
{
	unsigned int length = skb->len, packets = skb_shinfo(skb)->gso_segs ?: 1;
	unsigned int piece = IPV6_MIN_MTU;
	struct mm_packet packet;
	struct dst_entry *route;
	struct mm_xlat x;
	int verdict;

	mm_show(skb, IPCB(skb)->frag_max_size, &packet);
	verdict = mm_xlat4(rules, &packet, &x);
	if (unlikely(verdict == MM_XLAT_MORE)) {
		if (!mm_show_more(skb, &packet))
			return MM_DROP_MEMORY;
		verdict = mm_xlat4(rules, &packet, &x);
	}
	if (verdict == MM_XLAT_ERROR)
		return mm_transmit_error(mm, rules, skb);
	if (x.answer.due)
		mm_answer4(skb, x.answer.type, x.answer.code, x.answer.rest);
	if (verdict)
		return verdict == MM_XLAT_MORE ? MM_DROP_HEADER : verdict;
	verdict = mm_find_route(mm, skb, (struct ipv6hdr *)x.header, &route);
	if (verdict)
		return verdict;
	/* No IPv6 path is narrower (RFC 8200 s5): a small packet fits whatever it is. */
	if (skb_is_gso(skb) || x.payload + x.size > IPV6_MIN_MTU) {
		verdict = mm_fit(mm, skb, route, &x, &piece);
		if (verdict == MM_XLAT_MORE)
			return mm_transmit_segments(mm, skb);
		if (verdict)
			return verdict;
	}
	if (x.sum)
		mm_complete(skb, (struct ipv6hdr *)x.header, &x);
	if (mm_apply(skb, &x, LL_RESERVED_SPACE(route->dev)))
		return MM_DROP_MEMORY;
	mm_count_passed(mm, MM_4TO6, packets);
	dev_sw_netstats_tx_add(mm->dev, packets, length);
	if (!skb_is_gso(skb) && skb->len > piece)
		return mm_send_fragments(mm, skb, route, piece, &x);
	mm_send6(mm, skb, route);
	return MM_XLAT_OK;
}

/* Translates and sends; takes the packet over. With bottom halves off. */
void mm_transmit(struct mm_dev *mm, struct sk_buff *skb)
{
	const struct mm_rules *rules;
	int verdict = MM_DROP_SOURCE4;

	rcu_read_lock();
	rules = rcu_dereference(mm->rules);
	if (rules)
		verdict = mm_gso_foreign(skb) ? mm_transmit_segments(mm, skb) :
			  rules->tunnel.on    ? mm_encapsulate(mm, rules, skb) :
						mm_transmit_one(mm, rules, skb);
	rcu_read_unlock();
	if (!verdict)
		return;
	mm_count_drop(mm, verdict, true);
	kfree_skb(skb);
}

netdev_tx_t mm_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct mm_dev *mm = netdev_priv(dev);

	if (skb->protocol == htons(ETH_P_IP)) {
		mm_transmit(mm, skb);
		return NETDEV_TX_OK;
	}
	/* IPv6 that is routed here is for the other direction; anything else has no translation. */
	if (skb->protocol != htons(ETH_P_IPV6) || !mm_receive(mm, skb, false)) {
		mm_count_drop(mm, MM_DROP_PROTOCOL, true);
		kfree_skb(skb);
	}
	return NETDEV_TX_OK;
}
