// SPDX-License-Identifier: GPL-2.0-only
/* KUnit of the core's tables: port sets, addresses, ICMP, MTUs. `make MM_KUNIT=1` links it in. */
#include <kunit/test.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/inet.h>

#include "core/direction.h"
#include "core/icmp_map.h"
#include "core/line.h"
#include "core/lookup.h"
#include "core/pair.h"
#include "kunit/kunit.h"

/* RFC 7597 App. A's CE, and a CE that has an address of its own. */
const char *const mm_test_ce[] = {
	"config map0 local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 local.ea-len 16",
	"config map0 local.psid-offset 4 ce.v4 192.0.2.18 ce.v6 2001:db8:12:3400:0:c000:212:34",
	"config map0 ce.psid-offset 4 ce.psid-len 8 ce.psid 52",
	"config map0 remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 2001:db8:ffff::/64",
	NULL,
};

struct mm_rules *mm_test_rules(struct kunit *test, const char *const lines[])
{
	struct mm_rules *rules = kunit_kzalloc(test, mm_rules_size(1), GFP_KERNEL);
	struct mm_line *line = kunit_kzalloc(test, sizeof(*line), GFP_KERNEL);
	const char *why;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, rules);
	KUNIT_ASSERT_NOT_NULL(test, line);
	mm_rules_init(rules, 1);
	for (i = 0; lines[i]; i++) {
		KUNIT_ASSERT_EQ(test, mm_parse_line(lines[i], strlen(lines[i]), line), 0);
		mm_merge(rules->pair, line);
	}
	KUNIT_ASSERT_TRUE(test, mm_valid_pair(rules->pair, &why));
	rules->count = 1;
	mm_rules_index(rules);
	return rules;
}

static struct mm_port mm_port_of(int port)
{
	return (struct mm_port){ port, port >= 0 };
}

/* RFC 7597 s5.1. */
static const struct mm_set_case {
	const char *name;
	struct mm_edge edge;
	int port;
	bool inside;
	u32 count;
	u16 first, last;
} mm_set_cases[] = {
	{ "a=4 k=8: first", { .psid_offset = 4, .psid_len = 8, .psid = 0x34 }, 0x1340, true,
	  240, 0x1340, 0xf34f },
	{ "a=4 k=8: last", { .psid_offset = 4, .psid_len = 8, .psid = 0x34 }, 0xf34f, true,
	  240, 0x1340, 0xf34f },
	{ "a=4 k=8: behind", { .psid_offset = 4, .psid_len = 8, .psid = 0x34 }, 0x1350, false,
	  240, 0x1340, 0xf34f },
	{ "a=4 k=8: A is 0", { .psid_offset = 4, .psid_len = 8, .psid = 0x34 }, 0x0340, false,
	  240, 0x1340, 0xf34f },
	{ "a=4 k=8: no port", { .psid_offset = 4, .psid_len = 8, .psid = 0x34 }, -1, false,
	  240, 0x1340, 0xf34f },
	{ "a=6 k=6", { .psid_offset = 6, .psid_len = 6, .psid = 0x2a }, 0x06af, true,
	  1008, 0x06a0, 0xfeaf },
	{ "a=0 k=8: one range", { .psid_offset = 0, .psid_len = 8, .psid = 0x12 }, 0x12ff, true,
	  256, 0x1200, 0x12ff },
	{ "a=0 k=8: port 0", { .psid_offset = 0, .psid_len = 8, .psid = 0 }, 0, false,
	  256, 0, 255 },
	{ "k=0: everything", { .psid_offset = 0, .psid_len = 0, .psid = 0 }, 1, true,
	  65536, 0, 65535 },
	{ "k=0: what has no port", { .psid_offset = 0, .psid_len = 0, .psid = 0 }, -1, true,
	  65536, 0, 65535 },
	{ "a=4 k=12: one port a range", { .psid_offset = 4, .psid_len = 12, .psid = 0xabc },
	  0x1abc, true, 15, 0x1abc, 0xfabc },
};

static void mm_case_name(const struct mm_set_case *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mm_set, mm_set_cases, mm_case_name);

static void mm_test_set(struct kunit *test)
{
	const struct mm_set_case *row = test->param_value;

	KUNIT_EXPECT_EQ(test, mm_in_set(&row->edge, mm_port_of(row->port)), row->inside);
	KUNIT_EXPECT_EQ(test, mm_port_count(&row->edge), row->count);
	KUNIT_EXPECT_EQ(test, mm_nth_port(&row->edge, 0), row->first);
	KUNIT_EXPECT_EQ(test, mm_nth_port(&row->edge, row->count - 1), row->last);
	/* They begin anew behind the last. */
	KUNIT_EXPECT_EQ(test, mm_nth_port(&row->edge, row->count), row->first);
}

/* IPv4 and port to IPv6 and back. @error: of the way to IPv6. */
static const struct mm_address_case {
	const char *name;
	const char *line;
	bool local;
	const char *v4;
	int port;
	int error;
	const char *v6;
} mm_address_cases[] = {
#define MM_TEST_LOCAL "config m local.style MAP local.v4 192.0.2.0/24 local.v6 2001:db8::/40 " \
		      "local.ea-len 16 local.psid-offset 4"
#define MM_TEST_FMR "config m remote.style MAP remote.v4 192.0.2.0/24 remote.v6 2001:db8::/40 " \
		    "remote.ea-len 16 remote.psid-offset 6"
#define MM_TEST_DMR "config m remote.style RFC6052 remote.v4 0.0.0.0/0 remote.v6 "
	{ "RFC 7597 App. A: the BMR", MM_TEST_LOCAL, true, "192.0.2.18", 0x1340, 0,
	  "2001:db8:12:3400:0:c000:212:34" },
	{ "the BMR: another's address", MM_TEST_LOCAL, true, "198.51.100.1", 0x1340, -ENOENT },
	{ "the BMR: a port of nobody", MM_TEST_LOCAL, true, "192.0.2.18", 0x0340, -EPERM },
	{ "RFC 7597 App. A: an FMR", MM_TEST_FMR, false, "192.0.2.18", 1232, 0,
	  "2001:db8:12:3400:0:c000:212:34" },
	{ "an FMR: no port", MM_TEST_FMR, false, "192.0.2.18", -1, -ENOENT },
	{ "an FMR: another's address", MM_TEST_FMR, false, "192.0.3.18", 1232, -ENOENT },
	/* RFC 6052 s2.4. */
	{ "RFC 6052: 32", MM_TEST_DMR "2001:db8::/32", false, "192.0.2.33", 80, 0,
	  "2001:db8:c000:221::" },
	{ "RFC 6052: 40", MM_TEST_DMR "2001:db8:100::/40", false, "192.0.2.33", 80, 0,
	  "2001:db8:1c0:2:21::" },
	{ "RFC 6052: 48", MM_TEST_DMR "2001:db8:122::/48", false, "192.0.2.33", 80, 0,
	  "2001:db8:122:c000:2:2100::" },
	{ "RFC 6052: 56", MM_TEST_DMR "2001:db8:122:300::/56", false, "192.0.2.33", 80, 0,
	  "2001:db8:122:3c0:0:221::" },
	{ "RFC 6052: 64", MM_TEST_DMR "2001:db8:122:344::/64", false, "192.0.2.33", 80, 0,
	  "2001:db8:122:344:c0:2:2100::" },
	{ "RFC 6052: 96", MM_TEST_DMR "2001:db8:122:344::/96", false, "192.0.2.33", 80, 0,
	  "2001:db8:122:344::c000:221" },
};

static void mm_address_name(const struct mm_address_case *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mm_address, mm_address_cases, mm_address_name);

static void mm_test_address(struct kunit *test)
{
	const struct mm_address_case *row = test->param_value;
	const char *const lines[] = { row->line, NULL };
	struct mm_rules *rules = mm_test_rules(test, lines);
	struct in6_addr v6 = {}, expected;
	const struct mm_edge *edge;
	__be32 v4, back;
	int domain, error;

	KUNIT_ASSERT_EQ(test, in4_pton(row->v4, -1, (u8 *)&v4, -1, NULL), 1);
	if (row->local)
		error = mm_local_to_v6(rules, v4, mm_port_of(row->port), &v6, &edge, &domain);
	else
		error = mm_remote_to_v6(rules, v4, mm_port_of(row->port), MM_ANY_DOMAIN, &v6);
	KUNIT_EXPECT_EQ(test, error, row->error);
	if (row->error)
		return;
	KUNIT_ASSERT_EQ(test, in6_pton(row->v6, -1, expected.s6_addr, -1, NULL), 1);
	KUNIT_EXPECT_EQ(test, memcmp(&v6, &expected, sizeof(v6)), 0);
	if (row->local)
		error = mm_local_to_v4(rules, &expected, &back, &edge, &domain);
	else
		error = mm_remote_to_v4(rules, &expected, mm_port_of(row->port), MM_ANY_DOMAIN,
					&back);
	KUNIT_EXPECT_EQ(test, error, 0);
	KUNIT_EXPECT_EQ(test, (__force u32)back, (__force u32)v4);
}

/* RFC 7915 s4.2, s5.2, with figures 3 and 6. @to4: the way to IPv4. */
static const struct mm_icmp_case {
	const char *name;
	bool to4;
	u8 type, code;
	u32 pointer;
	bool known;
	u8 new_type, new_code;
	u32 rest;
} mm_icmp_cases[] = {
	{ "host unreachable", false, 3, 1, 0, true, 1, 0 },
	{ "protocol unreachable", false, 3, 2, 0, true, 4, 1, 6 },
	{ "port unreachable", false, 3, 3, 0, true, 1, 4 },
	{ "fragmentation needed", false, 3, 4, 0, true, 2, 0 },
	{ "source route failed", false, 3, 5, 0, true, 1, 0 },
	{ "host prohibited", false, 3, 10, 0, true, 1, 1 },
	{ "host precedence", false, 3, 14, 0, false },
	{ "precedence cutoff", false, 3, 15, 0, true, 1, 1 },
	{ "hops exceeded", false, 11, 0, 0, true, 3, 0 },
	{ "reassembly time", false, 11, 1, 0, true, 3, 1 },
	{ "pointer to TTL", false, 12, 0, 8, true, 4, 0, 7 },
	{ "pointer to the destination", false, 12, 2, 17, true, 4, 0, 24 },
	{ "pointer to the checksum", false, 12, 0, 10, false },
	{ "missing option", false, 12, 1, 0, false },
	{ "source quench", false, 4, 0, 0, false },
	{ "redirect", false, 5, 0, 0, false },
	{ "no route", true, 1, 0, 0, true, 3, 1 },
	{ "prohibited", true, 1, 1, 0, true, 3, 10 },
	{ "beyond scope", true, 1, 2, 0, true, 3, 1 },
	{ "address unreachable", true, 1, 3, 0, true, 3, 1 },
	{ "port unreachable, to IPv4", true, 1, 4, 0, true, 3, 3 },
	{ "policy", true, 1, 5, 0, false },
	{ "too big", true, 2, 0, 0, true, 3, 4 },
	{ "hop limit", true, 3, 0, 0, true, 11, 0 },
	{ "pointer to the hop limit", true, 4, 0, 7, true, 12, 0, 8U << 24 },
	{ "pointer to the flow label", true, 4, 0, 2, false },
	{ "unknown next header", true, 4, 1, 0, true, 3, 2 },
	{ "unknown option", true, 4, 2, 0, false },
};

static void mm_icmp_name(const struct mm_icmp_case *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mm_icmp, mm_icmp_cases, mm_icmp_name);

static void mm_test_icmp(struct kunit *test)
{
	const struct mm_icmp_case *row = test->param_value;
	struct mm_icmp_map map;
	bool known;

	if (row->to4)
		known = mm_icmp_map_6to4(row->type, row->code, row->pointer, &map);
	else
		known = mm_icmp_map_4to6(row->type, row->code, row->pointer, &map);
	KUNIT_EXPECT_EQ(test, known, row->known);
	if (!row->known)
		return;
	KUNIT_EXPECT_EQ(test, map.type, row->new_type);
	KUNIT_EXPECT_EQ(test, map.code, row->new_code);
	KUNIT_EXPECT_EQ(test, map.rest, row->rest);
}

/* RFC 7915 s4.2, s5.2. @quoted: what the quoted packet says of its length. */
static const struct mm_mtu_case {
	const char *name;
	bool to4;
	u32 mtu;
	u16 quoted;
	u32 mtu6, mtu4, expected;
} mm_mtu_cases[] = {
	{ "m + 20", false, 1400, 1500, 1500, 1500, 1420 },
	{ "MTU6", false, 1500, 1500, 1460, 1500, 1460 },
	{ "MTU4 + 20", false, 1500, 1500, 1500, 1300, 1320 },
	{ "never below 1280", false, 576, 1500, 1500, 1500, 1280 },
	{ "a plateau (RFC 1191 s7)", false, 0, 1500, 1500, 1500, 1500 },
	{ "a plateau below", false, 0, 1492, 1500, 1500, 1280 },
	{ "m - 20", true, 1400, 0, 1500, 1500, 1380 },
	{ "MTU4", true, 1500, 0, 1500, 1400, 1400 },
	{ "MTU6 - 20", true, 1500, 0, 1400, 1500, 1380 },
	{ "all of 32 bits", true, 70000, 0, 9000, 9000, 8980 },
	{ "less than 1280 is none", true, 68, 0, 1500, 1500, 1260 },
};

static void mm_mtu_name(const struct mm_mtu_case *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mm_mtu, mm_mtu_cases, mm_mtu_name);

static void mm_test_mtu(struct kunit *test)
{
	const struct mm_mtu_case *row = test->param_value;
	u32 found;

	if (row->to4)
		found = mm_mtu_6to4(row->mtu, row->mtu6, row->mtu4);
	else
		found = mm_mtu_4to6(row->mtu, row->quoted, row->mtu6, row->mtu4);
	KUNIT_EXPECT_EQ(test, found, row->expected);
}

static struct kunit_case mm_tables[] = {
	KUNIT_CASE_PARAM(mm_test_set, mm_set_gen_params),
	KUNIT_CASE_PARAM(mm_test_address, mm_address_gen_params),
	KUNIT_CASE_PARAM(mm_test_icmp, mm_icmp_gen_params),
	KUNIT_CASE_PARAM(mm_test_mtu, mm_mtu_gen_params),
	{}
};

static struct kunit_suite mm_tables_suite = {
	.name = "mapmint_tables",
	.test_cases = mm_tables,
};

kunit_test_suites(&mm_tables_suite, &mm_packets_suite);
