/* SPDX-License-Identifier: GPL-2.0-only */
/* mapmint: MAP-T customer edge translator (RFC 7599, RFC 7915). What the files share. */
#ifndef MAPMINT_H
#define MAPMINT_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat.h"

#define MM_KIND "mapmint"

/* Most rule pairs of a device, and octets of one transaction. */
#define MM_MAX_PAIRS 4096
#define MM_MAX_WRITE (2 << 20)

enum mm_style {
	MM_STYLE_NONE,
	MM_STYLE_MAP,
	MM_STYLE_MAP0,
	MM_STYLE_RFC6052,
};

/* One side of a rule pair: how addresses of one family map to the other's. */
struct mm_side {
	struct in6_addr v6;
	__be32 v4;
	u8 v6_len;
	u8 v4_len;
	u8 ea_len;
	u8 psid_offset;
	u8 style;
	/* Set by mm_rules_index: addresses are those of tunnel ends, not of hosts. */
	bool tunnel;
};

/* The CE's own address and port set, where a rule does not give them. */
struct mm_edge {
	struct in6_addr v6;
	__be32 v4;
	u16 psid;
	u8 v4_len;
	u8 psid_offset;
	u8 psid_len;
	bool has_v4;
	bool has_v6;
};

struct mm_pair {
	struct mm_side local;
	struct mm_side remote;
	struct mm_edge edge;
	/* Which of the sides were written down: what is read back is what was written. */
	bool has_local;
	bool has_remote;
};

#define MM_MAX_RESERVED 32

/* NAT44 into the port set, as the control file has it; without meaning while it is off. */
struct mm_nat_keys {
	bool on;
	/* RFC 4787 s5: whoever knows a mapping may use it; else only those it has spoken to. */
	bool endpoint_filter;
	/* Empty: our own. */
	char device[IFNAMSIZ];
	u8 reserved;
	struct mm_reserved {
		u16 first;
		u16 last;
	} range[MM_MAX_RESERVED];
};

/* How IPv4 travels: translated (MAP-T), or encapsulated (MAP-E, lw4o6). */
struct mm_tunnel_keys {
	bool on;
	/* 0: that of the packet. */
	u8 hop_limit;
	/* RFC 2473 s4.1.1: a Tunnel Encapsulation Limit is sent. */
	bool limited;
	u8 encap_limit;
	/* Else the packet's TOS. */
	bool fixed_class;
	u8 traffic_class;
};

/* RFC 2473 s6.3. */
#define MM_HOP_LIMIT 64

/* Pairs by one family's remote prefix: a hash table, and the prefix lengths, longest first. */
struct mm_index {
	u16 *bucket;
	u16 *next;
	u16 mask;
	u8 lengths;
	u8 length[129];
};

/* A pair without a local side belongs to whichever domain a packet is of. */
#define MM_ANY_DOMAIN (-1)

/* Never changed once published: a new one takes its place. mm_rules_index makes the indexes. */
struct mm_rules {
	struct rcu_head rcu;
	int debug;
	struct mm_nat_keys nat;
	struct mm_tunnel_keys tunnel;
	int count;
	int room;
	/* Pairs that have a local side. */
	int locals;
	u16 *local;
	/* By pair: the first pair with the same local side. Domains of a device differ in it. */
	s16 *domain;
	struct mm_index by4;
	struct mm_index by6;
	struct mm_pair pair[];
};

/* Why packets were dropped, and how many passed. The names are in stats.c. */
enum mm_counter {
	MM_4TO6,
	MM_6TO4,
	MM_ENCAPSULATED,
	MM_DECAPSULATED,
	MM_ECN_MARKED,
	MM_DROP_HEADER,
	MM_DROP_SOURCE4,
	MM_DROP_DEST4,
	MM_DROP_PORT_OUT,
	MM_DROP_PORT_IN,
	MM_DROP_PROTOCOL,
	MM_DROP_ICMP_TYPE,
	MM_DROP_ICMP_INNER,
	MM_DROP_FRAGMENT,
	MM_DROP_SOURCE_ROUTE,
	MM_DROP_SPOOFED6,
	MM_DROP_SOURCE6,
	MM_DROP_NOT_OURS4,
	MM_DROP_ECN,
	MM_DROP_EXTENSION,
	MM_DROP_NO_ROUTE,
	MM_DROP_LOOP,
	MM_DROP_TOO_BIG,
	MM_DROP_MEMORY,
	MM_DROP_UNTRACKED,
	MM_DROP_INVALID,
	MM_NAT_FLOWS,
	MM_NAT_INBOUND,
	MM_NAT_HAIRPIN,
	MM_NAT_NEIGHBOUR,
	MM_NAT_RECLAIMED,
	MM_NAT_RECYCLED,
	MM_NAT_OVERLOADED,
	MM_NAT_EXHAUSTED,
	MM_NAT_FILTERED,
	MM_COUNTERS,
};

struct mm_stats {
	u64 count[MM_COUNTERS];
};

struct mm_routes;
struct mm_nat;

struct mm_dev {
	struct net_device *dev;
	struct net *net;
	struct mm_rules __rcu *rules;
	struct mm_stats __percpu *stats;
	struct mm_routes __percpu *routes;
	/* RFC 7915 s4's lowest-ipv6-mtu: what a packet without DF is cut to on an unknown path. */
	u32 lowest_mtu;
	/* The next identification of a packet that is cut. */
	atomic_t fragment_id;
	struct list_head list;
	/* Under rtnl; packets find it by the namespace's list. */
	struct mm_nat *nat;
};

struct mm_net {
	/* Changed under rtnl, walked under RCU. */
	struct list_head devices;
	/* The same, of the devices that have a NAT. */
	struct list_head nats;
	int nat_users;
	bool hooked;
};

struct seq_file;

extern unsigned int mm_net_id;

static inline struct mm_net *mm_pernet(struct net *net)
{
	return net_generic(net, mm_net_id);
}

static inline void mm_count(struct mm_dev *mm, enum mm_counter which)
{
	this_cpu_inc(mm->stats->count[which]);
}

void mm_count_drop(struct mm_dev *mm, enum mm_counter why, bool out);

static inline void mm_count_add(struct mm_dev *mm, enum mm_counter which, u64 number)
{
	this_cpu_add(mm->stats->count[which], number);
}

static inline __be32 mm_mask4(u8 length)
{
	return length ? htonl(~0U << (32 - length)) : 0;
}

/* What a packet's transport header offers for choosing a rule: the port or ICMP id of one end. */
struct mm_port {
	u16 port;
	bool known;
	/* No packet's: the address is asked about, whatever ports it has. */
	bool any;
};

/* rules.c */
bool mm_in4(const struct mm_side *side, __be32 v4);
bool mm_in6(const struct mm_side *side, const struct in6_addr *v6);
void mm_put_bits(struct in6_addr *v6, int start, int count, u64 value);
int mm_side_to_v6(const struct mm_side *side, __be32 v4, struct mm_port port, struct in6_addr *v6);
int mm_side_to_v4(const struct mm_side *side, const struct in6_addr *v6, struct mm_port port,
		  __be32 *v4);
bool mm_in_set(const struct mm_edge *edge, struct mm_port port);
u32 mm_port_count(const struct mm_edge *edge);
u16 mm_nth_port(const struct mm_edge *edge, u32 number);
bool mm_valid_side(const struct mm_side *side, const char **why);
int mm_check_end(const struct mm_side *side, const struct in6_addr *v6, __be32 v4,
		 struct mm_port port);

/* lookup.c */
size_t mm_rules_size(int room);
void mm_rules_init(struct mm_rules *rules, int room);
void mm_rules_index(struct mm_rules *rules);
int mm_local_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port,
		   struct in6_addr *v6, const struct mm_edge **edge, int *domain);
int mm_remote_to_v6(const struct mm_rules *rules, __be32 v4, struct mm_port port, int domain,
		    struct in6_addr *v6);
int mm_local_to_v4(const struct mm_rules *rules, const struct in6_addr *v6, __be32 *v4,
		   const struct mm_edge **edge, int *domain);
int mm_remote_to_v4(const struct mm_rules *rules, const struct in6_addr *v6,
		    struct mm_port port, int domain, __be32 *v4);
bool mm_takes(const struct mm_rules *rules, const struct mm_edge *edge, const struct in6_addr *own,
	      struct mm_port port);
const struct mm_pair *mm_local_end(const struct mm_rules *rules, const struct in6_addr *v6,
				   int *domain);
int mm_check_local_end(const struct mm_pair *pair, const struct in6_addr *v6, __be32 v4,
		       struct mm_port port);
int mm_check_remote_end(const struct mm_rules *rules, const struct in6_addr *v6, __be32 v4,
			struct mm_port port, int domain);
int mm_remote_domain(const struct mm_rules *rules, __be32 v4, struct mm_port port);

/* transmit.c */
netdev_tx_t mm_xmit(struct sk_buff *skb, struct net_device *dev);
void mm_transmit(struct mm_dev *mm, struct sk_buff *skb);

/* receive.c */
bool mm_receive(struct mm_dev *mm, struct sk_buff *skb, bool direct);

/* route.c */
int mm_routes_init(struct mm_dev *mm);
void mm_routes_flush(struct mm_dev *mm);
void mm_routes_free(struct mm_dev *mm);
struct dst_entry *mm_route6(struct mm_dev *mm, const struct in6_addr *src,
			    const struct in6_addr *dst, u32 mark, u8 tclass);
unsigned int mm_mtu6(struct mm_dev *mm, const struct in6_addr *dst, u32 mark);

/* icmp_map.c */
struct mm_icmp_map {
	u8 type;
	u8 code;
	/* The second word of the header, in host order. */
	u32 rest;
	/* The other side knows RFC 4884's extensions for this type. */
	bool extensions;
};

bool mm_is_icmp_error4(u8 type);
bool mm_is_icmp_error6(u8 type);
bool mm_icmp_map_4to6(u8 type, u8 code, u8 pointer, struct mm_icmp_map *map);
bool mm_icmp_map_6to4(u8 type, u8 code, u32 pointer, struct mm_icmp_map *map);
u32 mm_mtu_4to6(u32 mtu, u16 quoted_len, u32 mtu6, u32 mtu4);
u32 mm_mtu_6to4(u32 mtu, u32 mtu6, u32 mtu4);

/* hook.c */
int mm_hooks_register(struct net *net);
void mm_hooks_unregister(struct net *net);

/* device.c */
struct net_device *mm_device_create(struct net *net, const char *name);
void mm_device_delete(struct mm_dev *mm);
struct mm_dev *mm_device_find(struct net *net, const char *name);
void mm_device_set_rules(struct mm_dev *mm, struct mm_rules *rules);
int mm_link_register(void);
void mm_link_unregister(void);

/* grammar.c */
enum mm_verb {
	MM_VERB_NONE,
	MM_VERB_ADD,
	MM_VERB_DEL,
	MM_VERB_CONFIG,
	MM_VERB_INSERT,
	MM_VERB_REMOVE,
};

struct mm_line {
	/* The word that is at fault, for the log, and what is wrong with it. */
	const char *word;
	int word_len;
	const char *why;
	enum mm_verb verb;
	char device[IFNAMSIZ];
	/* The keys that were given, as bits of the table in grammar.c, and their values. */
	u32 keys;
	struct mm_pair pair;
	int debug;
	/* 0: not given. */
	u32 lowest_mtu;
	struct mm_nat_keys nat;
	struct mm_tunnel_keys tunnel;
};

int mm_parse_line(const char *text, int length, struct mm_line *line);
void mm_merge(struct mm_pair *pair, const struct mm_line *line);
bool mm_matches(const struct mm_pair *pair, const struct mm_line *line);
bool mm_valid_pair(const struct mm_pair *pair, const char **why);
bool mm_sets_debug(const struct mm_line *line);
bool mm_sets_pair(const struct mm_line *line);
void mm_merge_nat(struct mm_nat_keys *nat, const struct mm_line *line);
int mm_print_pair(const struct mm_pair *pair, char *to, int size);
int mm_print_nat(const struct mm_nat_keys *nat, char *to, int size);
void mm_merge_tunnel(struct mm_tunnel_keys *tunnel, const struct mm_line *line);
int mm_print_tunnel(const struct mm_tunnel_keys *tunnel, char *to, int size);
bool mm_valid_transport(const struct mm_rules *rules, const char **why);

/* nat.c */
bool mm_nat_valid(const struct mm_rules *rules, const char **why);
bool mm_nat_same(const struct mm_dev *mm, const struct mm_rules *rules);
struct mm_nat *mm_nat_create(struct mm_dev *mm, const struct mm_rules *rules);
void mm_nat_discard(struct mm_nat *nat);
void mm_nat_replace(struct mm_dev *mm, struct mm_nat *nat);
int mm_nat_show(struct seq_file *seq, void *v);
int mm_nat_init(void);
void mm_nat_exit(void);

/* address.c */
int mm_add_address(struct net *net, int ifindex, __be32 address, u8 length);

/* control.c */
int mm_control_init(struct net *net);
void mm_control_exit(struct net *net);

/* stats.c */
extern const char *const mm_counter_names[MM_COUNTERS];
u64 mm_stats_sum(const struct mm_dev *mm, enum mm_counter which);
extern const struct ethtool_ops mm_ethtool_ops;

#endif
