// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes of the IPv6 side. Each CPU remembers some: the stack has chosen one for the IPv4 packet
 * already, and a second full look-up would be much of what translation costs.
 */
#include <linux/hash.h>
#include <linux/percpu.h>
#include <net/dst.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#include "net/routes.h"

/* Per CPU and device. */
#define MM_ROUTE_BITS 6
#define MM_ROUTES BIT(MM_ROUTE_BITS)

struct mm_route {
	struct in6_addr src;
	struct in6_addr dst;
	struct dst_entry *route;
	u32 cookie;
	u32 mark;
	u8 tclass;
};

struct mm_routes {
	struct mm_route at[MM_ROUTES];
};

int mm_routes_init(struct mm_dev *mm)
{
	mm->routes = alloc_percpu(struct mm_routes);
	return mm->routes ? 0 : -ENOMEM;
}

/* Only while nobody looks up: the device is down, or gone. */
void mm_routes_flush(struct mm_dev *mm)
{
	int cpu, i;

	for_each_possible_cpu(cpu)
		for (i = 0; i < MM_ROUTES; i++) {
			struct mm_route *route = &per_cpu_ptr(mm->routes, cpu)->at[i];

			dst_release(route->route);
			route->route = NULL;
		}
}

void mm_routes_free(struct mm_dev *mm)
{
	mm_routes_flush(mm);
	free_percpu(mm->routes);
}

static bool mm_route_is(const struct mm_route *route, const struct in6_addr *src,
			const struct in6_addr *dst, u32 mark, u8 tclass)
{
	return route->route && ipv6_addr_equal(&route->dst, dst) &&
	       ipv6_addr_equal(&route->src, src) && route->mark == mark &&
	       route->tclass == tclass;
}

static noinline struct dst_entry *mm_route_find(struct mm_dev *mm, struct mm_route *route,
						const struct in6_addr *src,
						const struct in6_addr *dst, u32 mark, u8 tclass)
{
	struct flowi6 fl6 = {
		.daddr = *dst,
		.saddr = *src,
		.flowi6_mark = mark,
		.flowlabel = ip6_make_flowinfo(tclass, 0),
	};
	struct dst_entry *found = ip6_route_output(mm->net, NULL, &fl6);

	dst_release(route->route);
	route->route = NULL;
	if (found->error || !netif_running(mm->dev)) {
		/*
		 * A device that is down keeps no references, so that nothing holds up its end. RCU
		 * keeps what is returned.
		 */
		dst_release(found);
		return found;
	}
	*route = (struct mm_route){
		.src = *src,
		.dst = *dst,
		.route = found,
		.cookie = rt6_get_cookie((struct rt6_info *)found),
		.mark = mark,
		.tclass = tclass,
	};
	return found;
}

/*
 * The route of a packet; it may be one that says why there is none (dst->error). Without a
 * reference: it is there until the caller leaves RCU. With bottom halves off.
 */
struct dst_entry *mm_route6(struct mm_dev *mm, const struct in6_addr *src,
			    const struct in6_addr *dst, u32 mark, u8 tclass)
{
	const u32 *d = (const u32 *)dst, *s = (const u32 *)src;
	u32 slot = (d[0] ^ d[1] ^ d[2] ^ d[3] ^ s[3] ^ tclass) * GOLDEN_RATIO_32;
	struct mm_route *route = &this_cpu_ptr(mm->routes)->at[slot >> (32 - MM_ROUTE_BITS)];

	if (likely(mm_route_is(route, src, dst, mark, tclass) &&
		   dst_check(route->route, route->cookie)))
		return route->route;
	return mm_route_find(mm, route, src, dst, mark, tclass);
}

/* The largest IPv6 packet on the path from us to @dst; an Ethernet's until there is a route. */
unsigned int mm_mtu6(struct mm_dev *mm, const struct in6_addr *dst, u32 mark)
{
	struct dst_entry *route = mm_route6(mm, &in6addr_any, dst, mark, 0);
	unsigned int mtu = route->error ? ETH_DATA_LEN : dst_mtu(route);

	return max_t(unsigned int, mtu, IPV6_MIN_MTU);
}
