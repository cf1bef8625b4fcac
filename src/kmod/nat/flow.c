// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which port a new flow leaves from: the one that its endpoint owns. Where others own all ports,
 * any port that has no flow to the same remote end.
 */
#include <linux/icmp.h>
#include <linux/jhash.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>

#include "nat/flow.h"
#include "net/stats.h"

/* How many ports are tried for one flow. */
#define MM_MOST_PROBES 4096
/*
 * RFC 4787 REQ-5: a mapping stays for two minutes at least, where no other endpoint needs the port.
 */
#define MM_IDLE (120 * HZ)
/* How long a remote end towards which no port was free is refused without a search. */
#define MM_REFUSAL (HZ / 10)

/* A flow that is to get a port. */
struct mm_flow {
	struct mm_nat *nat;
	struct mm_pool *pool;
	struct nf_conn *ct;
	/* Its packets as they would leave without NAT. */
	struct nf_conntrack_tuple out;
	enum mm_l4 l4;
	u32 hash;
};

static const char *const mm_l4_names[MM_L4S] = {
	[MM_L4_TCP] = "TCP port",
	[MM_L4_UDP] = "UDP port",
	[MM_L4_ICMP] = "ICMP id",
};

/* Whether both sides have closed it. Such a flow is kept only to recognize stray packets. */
static bool mm_closed(const struct nf_conn *ct)
{
	u8 state = READ_ONCE(ct->proto.tcp.state);

	return nf_ct_protonum(ct) == IPPROTO_TCP &&
	       (state == TCP_CONNTRACK_TIME_WAIT || state == TCP_CONNTRACK_CLOSE);
}

/* The packets that come back to one of our ports, which are also those that begin a flow to it. */
static void mm_way_back(const struct nf_conntrack_tuple *out, __be32 v4, u16 port,
			struct nf_conntrack_tuple *back)
{
	struct nf_conntrack_tuple from = *out;

	from.src.u3.ip = v4;
	from.src.u.all = htons(port);
	nf_ct_invert_tuple(back, &from);
}

static bool mm_flow_alive(const struct mm_endpoint *ep, const struct mm_peer *peer, void *context)
{
	const struct mm_alive_context *of = context;
	struct nf_conntrack_tuple back, out = {
		.src.l3num = NFPROTO_IPV4,
		.dst.u3.ip = peer->v4,
		.dst.protonum = of->protocol,
	};
	struct nf_conntrack_tuple_hash *hash;
	struct nf_conntrack_zone zone;
	bool alive;

	if (of->protocol == IPPROTO_ICMP)
		out.dst.u.icmp.type = ICMP_ECHO;
	else
		out.dst.u.all = peer->port;
	mm_way_back(&out, of->pool->edge.v4, mm_port_at(&of->pool->set, ep->index), &back);
	nf_ct_zone_init(&zone, ep->inside.zone, ep->inside.zone_dir, 0);
	hash = nf_conntrack_find_get(of->net, &zone, &back);
	if (!hash)
		return false;
	alive = !mm_closed(nf_ct_tuplehash_to_ctrack(hash));
	nf_ct_put(nf_ct_tuplehash_to_ctrack(hash));
	return alive;
}

struct mm_clock mm_clock(struct mm_alive_context *context)
{
	return (struct mm_clock){
		.now = jiffies,
		/* A few packets' time: until a new flow is in the table of connections. */
		.young = 2,
		.idle = MM_IDLE,
		.alive = mm_flow_alive,
		.context = context,
	};
}

static bool mm_is_free(const struct mm_flow *flow, u16 port)
{
	struct nf_conntrack_tuple back;

	mm_way_back(&flow->out, flow->pool->edge.v4, port, &back);
	return !nf_conntrack_tuple_taken(&back, flow->ct);
}

/* Removes a closed connection that is in the way, as RFC 6191 does on hosts. */
static bool mm_recycle(const struct mm_flow *flow, u16 port)
{
	struct nf_conntrack_tuple_hash *hash;
	struct nf_conntrack_tuple back;
	bool removed = false;
	struct nf_conn *ct;

	mm_way_back(&flow->out, flow->pool->edge.v4, port, &back);
	hash = nf_conntrack_find_get(flow->nat->net, nf_ct_zone(flow->ct), &back);
	if (!hash)
		return true;
	ct = nf_ct_tuplehash_to_ctrack(hash);
	if (mm_closed(ct))
		removed = nf_ct_kill(ct);
	nf_ct_put(ct);
	if (removed)
		mm_count(flow->nat->mm, MM_NAT_RECYCLED);
	return removed;
}

/* The port that the flow's endpoint owns, if need be from now on. 0: others own all ports. */
static u16 mm_owned(struct mm_flow *flow)
{
	const struct nf_conntrack_zone *zone = nf_ct_zone(flow->ct);
	struct mm_alive_context context = { flow->nat->net, flow->pool,
					    flow->out.dst.protonum };
	const struct mm_clock clock = mm_clock(&context);
	const struct mm_inside inside = {
		.v4 = flow->out.src.u3.ip,
		.port = flow->out.src.u.all,
		.zone = zone->id,
		.zone_dir = zone->dir,
	};
	struct mm_table *table = &flow->pool->table[flow->l4];
	unsigned long reclaimed;
	struct mm_endpoint *ep;
	u16 port = 0;

	spin_lock_bh(&flow->pool->lock);
	reclaimed = table->reclaimed;
	ep = mm_endpoint_find(table, &inside, flow->hash);
	if (!ep)
		ep = mm_endpoint_add(table, &inside, flow->hash,
				     mm_index_of(&flow->pool->set, ntohs(inside.port)), &clock);
	if (ep) {
		mm_endpoint_meet(table, ep, flow->out.dst.u3.ip,
				 flow->l4 == MM_L4_ICMP ? 0 : flow->out.dst.u.all, clock.now);
		port = mm_port_at(&flow->pool->set, ep->index);
	}
	mm_count_add(flow->nat->mm, MM_NAT_RECLAIMED, table->reclaimed - reclaimed);
	spin_unlock_bh(&flow->pool->lock);
	return port;
}

/* The first port, in the order of the search, that @take gives to the flow; 0: there is none. */
static __always_inline u16 mm_search_by(const struct mm_flow *flow,
					bool (*take)(const struct mm_flow *flow, u16 port))
{
	const struct mm_portset *set = &flow->pool->set;
	u32 i, most = min_t(u32, set->count, MM_MOST_PROBES);

	for (i = 0; i < most; i++) {
		u32 index = mm_probe(set, flow->hash, i);
		u16 port = mm_port_at(set, index);

		if (!test_bit(index, flow->pool->reserved) && take(flow, port))
			return port;
	}
	return 0;
}

/* A free port. For TCP, failing that, one whose connection is closed. 0: there is none. */
static u16 mm_search(const struct mm_flow *flow)
{
	u16 port = mm_search_by(flow, mm_is_free);

	if (!port && flow->l4 == MM_L4_TCP)
		port = mm_search_by(flow, mm_recycle);
	return port;
}

static struct mm_refusal *mm_refusal_of(const struct mm_flow *flow)
{
	u32 hash = jhash_3words((__force u32)flow->out.dst.u3.ip,
				(__force u32)flow->out.dst.u.all, flow->l4, flow->pool->seed);

	return &flow->pool->refusal[hash % MM_REFUSALS];
}

static bool mm_refused(const struct mm_flow *flow)
{
	const struct mm_refusal *refusal = mm_refusal_of(flow);
	bool found;

	spin_lock_bh(&flow->pool->lock);
	found = refusal->v4 == flow->out.dst.u3.ip && refusal->port == flow->out.dst.u.all &&
		refusal->l4 == flow->l4 && time_before(jiffies, refusal->until);
	spin_unlock_bh(&flow->pool->lock);
	return found;
}

static void mm_refuse(const struct mm_flow *flow)
{
	struct mm_refusal *refusal = mm_refusal_of(flow);

	spin_lock_bh(&flow->pool->lock);
	*refusal = (struct mm_refusal){ jiffies + MM_REFUSAL, flow->out.dst.u3.ip,
					flow->out.dst.u.all, flow->l4 };
	spin_unlock_bh(&flow->pool->lock);
	pr_warn_ratelimited("mapmint: %s: no %s of the %u is free towards %pI4 port %u\n",
			    flow->nat->mm->dev->name, mm_l4_names[flow->l4],
			    flow->pool->set.count, &flow->out.dst.u3.ip,
			    flow->l4 == MM_L4_ICMP ? 0 : ntohs(flow->out.dst.u.all));
}

/* Any port that is free towards this remote end, or 0. */
static u16 mm_any(const struct mm_flow *flow)
{
	bool refused = mm_refused(flow);
	u16 port = refused ? 0 : mm_search(flow);

	if (!port) {
		mm_count(flow->nat->mm, MM_NAT_EXHAUSTED);
		if (!refused)
			mm_refuse(flow);
	}
	return port;
}

/* Whether the flow may leave with the port that it has. */
static bool mm_keeps(const struct mm_flow *flow, u16 port)
{
	int index = mm_index_of(&flow->pool->set, port);
	bool reserved = index >= 0 && test_bit(index, flow->pool->reserved);
	bool own = flow->out.src.u3.ip == flow->pool->edge.v4;

	if (mm_restricted(flow->pool)) {
		/* Only services of the router's own leave from reserved ports. */
		if (!reserved || !own)
			return false;
	} else if (index < 0 || reserved) {
		/* All ports are ours, but these are not given to hosts. */
		if (!own)
			return false;
	}
	return mm_is_free(flow, port);
}

static u16 mm_choose(struct mm_flow *flow)
{
	u16 port = ntohs(flow->out.src.u.all);

	if (mm_keeps(flow, port))
		return port;
	if (!mm_restricted(flow->pool))
		return mm_any(flow);
	port = mm_owned(flow);
	if (port && mm_is_free(flow, port))
		return port;
	/* Others own all ports, or the endpoint's port is in use towards this remote end. */
	port = mm_any(flow);
	if (port)
		mm_count(flow->nat->mm, MM_NAT_OVERLOADED);
	return port;
}

unsigned int mm_nat_bind(struct nf_conn *ct, __be32 v4, u16 port, enum nf_nat_manip_type type)
{
	const struct nf_nat_range2 range = {
		.flags = NF_NAT_RANGE_MAP_IPS | (port ? NF_NAT_RANGE_PROTO_SPECIFIED : 0),
		.min_addr.ip = v4,
		.max_addr.ip = v4,
		.min_proto.all = htons(port),
		.max_proto.all = htons(port),
	};

	return nf_nat_setup_info(ct, &range, type);
}

/* Gives a new flow its source. */
unsigned int mm_nat_source(struct mm_nat *nat, struct mm_pool *pool, struct nf_conn *ct)
{
	struct mm_flow flow = { .nat = nat, .pool = pool, .ct = ct };
	int l4;
	u16 port;

	nf_ct_invert_tuple(&flow.out, &ct->tuplehash[IP_CT_DIR_REPLY].tuple);
	l4 = mm_l4_of(flow.out.dst.protonum);
	if (l4 == MM_L4_ICMP && flow.out.dst.u.icmp.type != ICMP_ECHO) {
		if (mm_restricted(pool)) {
			mm_count_drop(nat->mm, MM_DROP_ICMP_TYPE, MM_OUT);
			return NF_DROP;
		}
		l4 = -1;
	}
	if (l4 < 0) {
		/* RFC 7597 s5.1: an address is shared by ports, and this protocol has none. */
		if (!mm_restricted(pool))
			return mm_nat_bind(ct, pool->edge.v4, 0, NF_NAT_MANIP_SRC);
		mm_count_drop(nat->mm, MM_DROP_PROTOCOL, MM_OUT);
		return NF_DROP;
	}
	flow.l4 = l4;
	flow.hash = jhash_3words((__force u32)flow.out.src.u3.ip,
				 (__force u32)flow.out.src.u.all | nf_ct_zone(ct)->id << 16, l4,
				 pool->seed);
	port = mm_choose(&flow);
	if (!port)
		return NF_DROP;
	mm_count(nat->mm, MM_NAT_FLOWS);
	return mm_nat_bind(ct, pool->edge.v4, port, NF_NAT_MANIP_SRC);
}
