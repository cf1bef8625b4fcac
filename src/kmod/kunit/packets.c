// SPDX-License-Identifier: GPL-2.0-only
/* KUnit of the core's packets: octets in, octets out (RFC 7915), and why others are dropped. */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <net/checksum.h>

#include "compat.h"
#include "core/transport.h"
#include "core/xlat.h"
#include "kunit/kunit.h"

/* @to: the translated packet, if there is one. @counter: why it is dropped. */
static const struct mm_packet_case {
	const char *name;
	enum mm_direction direction;
	const char *from;
	const char *to;
	enum mm_outcome outcome;
	enum mm_counter counter;
	u8 answer_type, answer_code;
} mm_packet_cases[] = {
	{ "out: UDP", MM_OUT,
	  "450000240001000040117cabc0000212cb00710a13400007001031197061796c6f616421",
	  "600000000010114020010db8001234000000c0000212003420010db8ffff000000cb00710a000000134000070010d22f7061796c6f616421",
	},
	{ "out: TCP, its TOS and TTL", MM_OUT,
	  "45b80028000100000906b2fac0000212cb00710a13400050000003e8000007d050022000727d0000",
	  "6b8000000014060920010db8001234000000c0000212003420010db8ffff000000cb00710a00000013400050000003e8000007d05002200013940000",
	},
	{ "out: echo", MM_OUT,
	  "450000240001000040017cbbc0000212cb00710a08005329134000016162636465666768",
	  "6000000000103a4020010db8001234000000c0000212003420010db8ffff000000cb00710a00000080007dd7134000016162636465666768",
	},
	{ "out: options are skipped", MM_OUT,
	  "4600002800010000401179a6c0000212cb00710a0101010013400007001031197061796c6f616421",
	  "600000000010114020010db8001234000000c0000212003420010db8ffff000000cb00710a000000134000070010d22f7061796c6f616421",
	},
	{ "out: a first fragment", MM_OUT,
	  "450000241234200040114a78c0000212cb00710a134000070018ee590000000000000000",
	  "6000000000182c4020010db8001234000000c0000212003420010db8ffff000000cb00710a00000011000001000012341340000700188f700000000000000000",
	},
	{ "out: a port outside", MM_OUT,
	  "450000240001000040117cabc0000212cb00710a13500007001031097061796c6f616421",
	  NULL, MM_DROP, MM_DROP_PORT_OUT },
	{ "out: another's address", MM_OUT,
	  "450000240001000040117caac0000213cb00710a13400007001031187061796c6f616421",
	  NULL, MM_DROP, MM_DROP_SOURCE4 },
	{ "out: GRE", MM_OUT, "4500001c00010000402f7c95c0000212cb00710a0000000000000000",
	  NULL, MM_DROP, MM_DROP_PROTOCOL },
	{ "out: a source route", MM_OUT,
	  "4700002c000100004011be71c0000212cb00710a830704c63364010013400007001031197061796c6f616421",
	  NULL, MM_DROP, MM_DROP_SOURCE_ROUTE, ICMP_DEST_UNREACH, ICMP_SR_FAILED },
	{ "out: a fragment of ICMP", MM_OUT,
	  "450000240001200040015cbbc0000212cb00710a08005329134000016162636465666768",
	  NULL, MM_DROP, MM_DROP_FRAGMENT },
	{ "out: a timestamp request", MM_OUT,
	  "450000280001000040017cb7c0000212cb00710a0d00dfbe13400001000000000000000000000000",
	  NULL, MM_DROP, MM_DROP_ICMP_TYPE },
	{ "out: a UDP header cut short", MM_OUT,
	  "450000180001000040117cb7c0000212cb00710a13400007",
	  NULL, MM_DROP, MM_DROP_HEADER },
	{ "in: UDP", MM_IN,
	  "600000000010114020010db8ffff000000cb00710a00000020010db8001234000000c00002120034000713400010d22f7061796c6f616421",
	  "450000240000000040117caccb00710ac000021200071340001031197061796c6f616421",
	},
	{ "in: TCP, its class and hops", MM_IN,
	  "6b8000000014060920010db8ffff000000cb00710a00000020010db8001234000000c0000212003400501340000003e8000007d05012200013840000",
	  "45b80028000000000906b2fbcb00710ac000021200501340000003e8000007d050122000726d0000",
	},
	{ "in: echo reply", MM_IN,
	  "6000000000103a4020010db8ffff000000cb00710a00000020010db8001234000000c0000212003481007cd7134000016162636465666768",
	  "450000240000000040017cbccb00710ac000021200005b29134000016162636465666768",
	},
	{ "in: a UDP checksum of 0 stays", MM_IN,
	  "600000000010114020010db8ffff000000cb00710a00000020010db8001234000000c0000212003400071340001000007061796c6f616421",
	  "450000240000000040117caccb00710ac000021200071340001000007061796c6f616421",
	},
	{ "in: destination options", MM_IN,
	  "6000000000183c4020010db8ffff000000cb00710a00000020010db8001234000000c000021200341100010400000000000713400010d22f7061796c6f616421",
	  "450000240000000040117caccb00710ac000021200071340001031197061796c6f616421",
	},
	{ "in: an atomic fragment", MM_IN,
	  "6000000000182c4020010db8ffff000000cb00710a00000020010db8001234000000c000021200341100000012345678000713400010d22f7061796c6f616421",
	  "450000245678000040112634cb00710ac000021200071340001031197061796c6f616421",
	},
	{ "in: a port outside", MM_IN,
	  "600000000010114020010db8ffff000000cb00710a00000020010db8001234000000c00002120034000713500010d21f7061796c6f616421",
	  NULL, MM_DROP, MM_DROP_PORT_IN },
	{ "in: a routing header", MM_IN,
	  "6000000000182b4020010db8ffff000000cb00710a00000020010db8001234000000c000021200341100030100000000000713400010d22f7061796c6f616421",
	  NULL, MM_DROP, MM_DROP_EXTENSION, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD },
	{ "in: from nobody of ours", MM_IN,
	  "600000000010114020010db8eeee0000000000000000000120010db8001234000000c00002120034000713400010ee7b7061796c6f616421",
	  NULL, MM_ORDINARY },
	{ "in: to somebody else", MM_IN,
	  "600000000010114020010db8ffff000000cb00710a00000020010db8f00000000000000000000001000713400010d8867061796c6f616421",
	  NULL, MM_ORDINARY },
};

static void mm_packet_name(const struct mm_packet_case *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mm_packet, mm_packet_cases, mm_packet_name);

/* Memory of its own for each packet, so that KASAN sees a read beside it. */
static u8 *mm_test_octets(struct kunit *test, const char *hex, unsigned int *length)
{
	u8 *octets;

	*length = strlen(hex) / 2;
	octets = kunit_kzalloc(test, *length, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, octets);
	KUNIT_ASSERT_EQ(test, hex2bin(octets, hex, *length), 0);
	return octets;
}

static void mm_test_packet(struct kunit *test)
{
	const struct mm_packet_case *row = test->param_value;
	struct mm_rules *rules = mm_test_rules(test, mm_test_ce);
	struct mm_packet packet = {};
	struct mm_verdict verdict;
	u8 *from, *to, *found;
	struct mm_xlat x = {};
	unsigned int length;

	from = mm_test_octets(test, row->from, &packet.len);
	packet.head = from;
	packet.head_len = packet.len;
	if (row->direction == MM_OUT)
		verdict = mm_xlat4(rules, &packet, &x);
	else
		verdict = mm_xlat6(rules, &packet, &x);
	KUNIT_ASSERT_EQ(test, (int)verdict.outcome, (int)row->outcome);
	KUNIT_EXPECT_EQ(test, (int)verdict.counter, (int)row->counter);
	KUNIT_EXPECT_EQ(test, verdict.icmp_type, row->answer_type);
	KUNIT_EXPECT_EQ(test, verdict.icmp_code, row->answer_code);
	if (!row->to)
		return;
	to = mm_test_octets(test, row->to, &length);
	KUNIT_ASSERT_EQ(test, x.size + packet.len - x.strip, length);
	found = kunit_kzalloc(test, length, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, found);
	memcpy(found, x.header, x.size);
	memcpy(found + x.size, from + x.strip, packet.len - x.strip);
	if (x.check_at)
		memcpy(found + x.size + x.check_at - x.strip, &x.check, sizeof(x.check));
	if (x.retype)
		found[x.size] = x.type;
	KUNIT_EXPECT_EQ(test, memcmp(found, to, length), 0);
}

/* A whole sum from the octets is the oracle of one that is changed (RFC 1624). */
static void mm_test_checksum(struct kunit *test)
{
	u8 pseudo4[8], pseudo6[32], body[64];
	__sum16 changed, whole;
	__wsum sum;
	int i;

	for (i = 0; i < 1000; i++) {
		get_random_bytes(pseudo4, sizeof(pseudo4));
		get_random_bytes(pseudo6, sizeof(pseudo6));
		get_random_bytes(body, sizeof(body));
		/* The corners: nothing but zeros, nothing but ones. */
		memset(pseudo4, i & 1 ? 0xff : pseudo4[0], i & 2 ? sizeof(pseudo4) : 0);
		memset(pseudo6, i & 4 ? 0xff : 0, i & 8 ? sizeof(pseudo6) : 0);
		sum = csum_partial(body, sizeof(body), 0);
		changed = csum_fold(csum_partial(pseudo4, sizeof(pseudo4), sum));
		changed = mm_replace_pseudo(changed, pseudo4, sizeof(pseudo4), pseudo6,
					    sizeof(pseudo6));
		whole = csum_fold(csum_partial(pseudo6, sizeof(pseudo6), sum));
		/* 0 and 0xffff are one number. */
		KUNIT_EXPECT_EQ(test, (__force u16)changed % 0xffff, (__force u16)whole % 0xffff);
	}
}

static struct kunit_case mm_packets[] = {
	KUNIT_CASE_PARAM(mm_test_packet, mm_packet_gen_params),
	KUNIT_CASE(mm_test_checksum),
	{}
};

struct kunit_suite mm_packets_suite = {
	.name = "mapmint_packets",
	.test_cases = mm_packets,
};
