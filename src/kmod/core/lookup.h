/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules of a device as packets look them up. */
#ifndef MAPMINT_LOOKUP_H
#define MAPMINT_LOOKUP_H

#include <linux/types.h>

#include "core/nat_keys.h"
#include "core/portset.h"
#include "core/rule.h"
#include "core/tunnel_keys.h"

/* The pairs by the remote prefix of one family: a hash table. */
struct mm_index {
	u16 *bucket;
	u16 *next;
	u16 mask;
	/* The prefix lengths that occur, longest first. */
	u8 lengths;
	u8 length[129];
};

/* A pair without a local side belongs to the domain of whichever packet asks. */
#define MM_ANY_DOMAIN (-1)

/*
 * Once packets can see a rule set it does not change: a new one takes its place. mm_rules_index
 * makes what is derived from the pairs.
 */
struct mm_rules {
	struct rcu_head rcu;
	int debug;
	struct mm_nat_keys nat;
	struct mm_tunnel_keys tunnel;
	int count;
	int room;
	/* The pairs that have a local side. */
	int locals;
	u16 *local;
	/* For each pair, the first pair with the same local side: that number is its domain. */
	s16 *domain;
	struct mm_index by4;
	struct mm_index by6;
	struct mm_pair pair[];
};

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

#endif
