// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: a packet through the module's core. An input is an octet that chooses the rule set, one of flags, and the
 * packet. The rule sets are those of rules.txt in test/vectors/rfc7915 and test/vectors/tunnel, which MAPMIN_RULES names,
 * parted by a colon.
 *
 * Whatever comes out has lengths that hold, a checksum that is right where it was right before, and of our own addresses
 * only such with a port of our set: told from the rules' words by arithmetic of its own.
 */
#include "control.h"
#include "packet.h"

#define MOST_SETS 64

enum {
	INCOMING = 1,
	/* Lengths and checksums are made right first, so that more than the first check is reached. */
	REPAIR = 2,
	CUT = 4,
	/* Three bits: the MTU of the path; two: of the device. */
	PATH = 8,
	DEVICE = 64,
};

static const u32 path_mtu[] = { 1500, 1280, 1281, 1400, 1480, 9000, 65535, 1499 };
static const u32 device_mtu[] = { 1500, 1280, 1480, 65535 };

static struct mm_rules *sets[MOST_SETS];
static unsigned int set_count;

static void __attribute__((noreturn)) broken(const char *what)
{
	fprintf(stderr, "fuzz: broken: %s\n", what);
	abort();
}

static void read_rules(const char *path)
{
	FILE *file = fopen(path, "r");
	char text[2048];

	if (!file)
		broken("MAPMIN_RULES names no file of rule sets");
	while (fgets(text, sizeof(text), file)) {
		struct mm_line line;

		text[strcspn(text, "\n")] = 0;
		if (!strncmp(text, "set ", 4)) {
			if (set_count == MOST_SETS)
				broken("too many rule sets");
			sets[set_count++] = new_rules();
		} else if (*text && *text != '#') {
			if (mm_parse_line(text, strlen(text), &line) || apply_line(sets[set_count - 1], &line))
				broken("a rule set is refused");
		}
	}
	fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *paths = strdup(getenv("MAPMIN_RULES") ?: "");
	char *path, *left = paths;

	(void)argc;
	(void)argv;
	while ((path = strsep(&left, ":")))
		read_rules(path);
	free(paths);
	return 0;
}

/* --- Internet checksums ----------------------------------------------------------------------- */

static u32 sum16(const u8 *data, unsigned int len, u32 sum)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? data[i] : (u32)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put16(u8 *at, u32 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static u32 get16(const u8 *at)
{
	return at[0] << 8 | at[1];
}

/* What of a packet a transport checksum is about. */
struct transport {
	u8 *body;
	unsigned int len;
	/* Where the checksum is; 0: there is none to be looked at. */
	unsigned int at;
	u32 pseudo;
};

static void find_transport(u8 *packet, unsigned int len, struct transport *found)
{
	bool v6 = packet[0] >> 4 == 6;
	unsigned int start = v6 ? 40 : (packet[0] & 15) * 4;
	u8 protocol = v6 ? packet[6] : packet[9];

	*found = (struct transport){};
	if (v6 && protocol == 44 && len >= 48) {
		if (get16(packet + 42) & 0xfff9)
			return;
		protocol = packet[40];
		start = 48;
	}
	if (start > len || (!v6 && (start < 20 || get16(packet + 6) & 0x3fff)))
		return;
	found->body = packet + start;
	found->len = len - start;
	if (protocol == 17 && found->len >= 8 && get16(found->body + 4) >= 8 && get16(found->body + 4) <= found->len)
		found->len = get16(found->body + 4);
	found->pseudo = sum16(packet + (v6 ? 8 : 12), v6 ? 32 : 8, protocol + found->len);
	if (protocol == 6 && found->len >= 20)
		found->at = 16;
	else if (protocol == 17 && found->len >= 8)
		found->at = 6;
	else if (protocol == (v6 ? 58 : 1) && found->len >= 8)
		found->at = 2;
	if (protocol == 1)
		found->pseudo = 0;
}

/* 1: right, 0: wrong, -1: there is none. */
static int checksum_right(u8 *packet, unsigned int len)
{
	struct transport found;
	u32 sum;

	find_transport(packet, len, &found);
	if (!found.at || (found.at == 6 && !get16(found.body + 6)))
		return -1;
	/* An echo of zeros alone sums up to the other zero, which no difference can tell from this one. */
	sum = sum16(found.body, found.len, found.pseudo);
	return sum == 0xffff || sum == 0;
}

static void repair(u8 *packet, unsigned int len)
{
	bool v6 = packet[0] >> 4 == 6;
	unsigned int header = (packet[0] & 15) * 4;
	struct transport found;

	if (len < (v6 ? 40 : 20) || (!v6 && (packet[0] >> 4 != 4 || header < 20 || header > len)))
		return;
	if (v6) {
		put16(packet + 4, len - 40);
	} else {
		put16(packet + 2, len);
		put16(packet + 10, 0);
		put16(packet + 10, ~sum16(packet, header, 0));
	}
	find_transport(packet, len, &found);
	if (!found.at || (found.at == 6 && !get16(found.body + 6)))
		return;
	put16(found.body + found.at, 0);
	put16(found.body + found.at, ~sum16(found.body, found.len, found.pseudo));
}

/* --- what is ours ----------------------------------------------------------------------------- */

/* A port is A, PSID, j (RFC 7597 s5.1). */
static bool of_set(u32 port, u32 offset, u32 length, u32 psid)
{
	if (offset && port < 1U << (16 - offset))
		return false;
	return (port << offset & 0xffff) >> (16 - length) == psid;
}

static bool in_prefix4(u32 address, __be32 prefix, u32 length)
{
	return !length || (address ^ ntohl(prefix)) >> (32 - length) == 0;
}

/* @port below 0: there is none. @own: the MAP address, which says what its own set is. */
static bool ours(const struct mm_rules *rules, u32 address, int port, const u8 *own)
{
	int i;

	for (i = 0; i < rules->count; i++) {
		const struct mm_pair *pair = &rules->pair[i];
		const struct mm_side *side = &pair->local;
		int length = side->ea_len - (32 - side->v4_len);

		if (!pair->has_local)
			continue;
		if (pair->edge.has_v4) {
			if (!in_prefix4(address, pair->edge.v4, pair->edge.v4_len))
				continue;
			if (!pair->edge.psid_len)
				return true;
			return port > 0 && of_set(port, pair->edge.psid_offset, pair->edge.psid_len, pair->edge.psid);
		}
		if (!in_prefix4(address, side->v4, side->v4_len))
			continue;
		if (side->style != MM_STYLE_MAP && side->style != MM_STYLE_MAP0)
			return true;
		if (length <= 0)
			return true;
		return port >= 0 && of_set(port, side->psid_offset, length, get16(own + (side->style == MM_STYLE_MAP ? 14 : 13)));
	}
	return false;
}

/* The port of one end of an IPv4 packet or one quoted; below 0: none. */
static int port_of(const u8 *packet, unsigned int len, bool source)
{
	unsigned int at = (packet[0] & 15) * 4;

	if (at + 4 > len || get16(packet + 6) & 0x1fff)
		return -1;
	if (packet[9] == 6 || packet[9] == 17)
		return get16(packet + at + (source ? 0 : 2));
	if (packet[9] == 1 && at + 8 <= len && (packet[at] == 0 || packet[at] == 8))
		return get16(packet + at + 4);
	return -1;
}

static u32 address_at(const u8 *at)
{
	return (u32)get16(at) << 16 | get16(at + 2);
}

static bool is_error4(const u8 *packet, unsigned int len)
{
	unsigned int at = (packet[0] & 15) * 4;

	return packet[9] == 1 && !(get16(packet + 6) & 0x3fff) && at < len &&
	       (packet[at] == 3 || packet[at] == 11 || packet[at] == 12);
}

/* --- what comes out --------------------------------------------------------------------------- */

static void check_out(const struct mm_rules *rules, u8 *in, unsigned int len, u8 *out, unsigned int out_len, int was)
{
	unsigned int header = (in[0] & 15) * 4;
	bool fragment = get16(in + 6) & 0x3fff;

	if (out_len < 40 || out[0] >> 4 != 6 || get16(out + 4) != min(out_len - 40, 65535U))
		broken("out: the length");
	if (out[7] != in[8])
		broken("out: the hop limit");
	if (is_error4(in, len)) {
		if (out_len > 1280 || out[6] != 58 || checksum_right(out, out_len) != 1)
			broken("out: an error");
		/* Who quotes it is the one to whom it was sent. */
		if (!ours(rules, address_at(in + header + 24), port_of(in + header + 8, len - header - 8, false), out + 8))
			broken("out: an error about a packet that was not to us");
		return;
	}
	if (out_len != len - header + (fragment ? 48 : 40))
		broken("out: not all of it");
	if ((out[6] == 44) != fragment && in[9] != 44)
		broken("out: a Fragment Header");
	if (!ours(rules, address_at(in + 12), port_of(in, len, true), out + 8))
		broken("out: an address or port outside the set");
	if (was >= 0 && checksum_right(out, out_len) != was)
		broken("out: the checksum");
	if (in[9] == 17 && !fragment && checksum_right(out, out_len) < 0)
		broken("out: no checksum");
}

static void check_in(const struct mm_rules *rules, u8 *in, u8 *out, unsigned int out_len, int was)
{
	if (out_len < 20 || out[0] != 0x45 || get16(out + 2) != min(out_len, 65535U))
		broken("in: the length");
	if (sum16(out, 20, 0) != 0xffff)
		broken("in: the header's checksum");
	if (out[8] != in[7])
		broken("in: the TTL");
	if (is_error4(out, out_len)) {
		if (out_len > 576 || checksum_right(out, out_len) != 1)
			broken("in: an error");
		if (!ours(rules, address_at(out + 40), port_of(out + 28, out_len - 28, true), in + 24) &&
		    !(get16(out + 34) & 0x1fff))
			broken("in: an error about a packet that was not ours");
		return;
	}
	if (!ours(rules, address_at(out + 16), port_of(out, out_len, false), in + 24))
		broken("in: an address or port outside the set");
	if (was >= 0 && checksum_right(out, out_len) != was)
		broken("in: the checksum");
}

/* Into the tunnel goes the packet as it is, behind a header, and nothing that is not ours. */
static void check_encapsulated(const struct mm_rules *rules, u8 *in, unsigned int len, u8 *out, unsigned int out_len)
{
	unsigned int head = rules->tunnel.limited ? 48 : 40, header = (in[0] & 15) * 4;

	if (out_len != len + head || get16(out + 4) != min(out_len - 40, 65535U) || memcmp(out + head, in, len))
		broken("tunnel out: the packet");
	if (out[0] >> 4 != 6 || out[6] != (head == 40 ? 4 : 60) || (head == 48 && out[40] != 4))
		broken("tunnel out: the header");
	if (out[7] != (rules->tunnel.hop_limit ?: in[8]) || (out[1] >> 4 & 3) != (in[1] & 3))
		broken("tunnel out: hop limit or ECN");
	if (is_error4(in, len) ? !ours(rules, address_at(in + 12), port_of(in + header + 8, len - header - 8, false), out + 8) :
				 !ours(rules, address_at(in + 12), port_of(in, len, true), out + 8))
		broken("tunnel out: an address or port outside the set");
}

/* Out of the tunnel comes the end of the packet, but for its ECN field, and nothing that is not ours. */
static void check_decapsulated(const struct mm_rules *rules, u8 *in, unsigned int len, u8 *out, unsigned int out_len)
{
	const u8 *inside = in + len - out_len;
	u32 own = address_at(out + 16);

	if (out_len < 20 || out[0] >> 4 != 4)
		broken("tunnel in: the packet");
	/* An error that was made of ICMPv6. */
	if (address_at(out + 12) == 0xc0000008 && checksum_right(out, out_len) == 1 && is_error4(out, out_len) &&
	    (out_len > len || memcmp(inside + 20, out + 20, out_len - 20))) {
		if (out_len > 576 || !ours(rules, address_at(out + 40), port_of(out + 28, out_len - 28, true), in + 24))
			broken("tunnel in: an error about a packet that was not ours");
		return;
	}
	if (out_len > len || out[0] != inside[0] || (out[1] ^ inside[1]) & 0xfc || memcmp(out + 2, inside + 2, 8) ||
	    memcmp(out + 12, inside + 12, out_len - 12))
		broken("tunnel in: not as it was");
	/* The port of a piece is asked for once it is whole; an error's is that of what it quotes. */
	if (!is_error4(out, out_len) && !(get16(out + 6) & 0x1fff) && !ours(rules, own, port_of(out, out_len, false), in + 24))
		broken("tunnel in: an address or port outside the set");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 in[PACKET_MOST] __aligned(8), out[PACKET_MOST] __aligned(8);
	const struct mm_rules *rules;
	struct packet_paths paths;
	unsigned int len, out_len = 0;
	struct mm_verdict verdict;
	int was;
	u8 flags;

	if (size < 2 || size > PACKET_MOST - 64)
		return 0;
	rules = sets[data[0] % set_count];
	flags = data[1];
	len = size - 2;
	memcpy(in, data + 2, len);
	if (flags & REPAIR && len)
		repair(in, len);
	paths.limit6 = path_mtu[flags / PATH % 8];
	paths.mtu4 = device_mtu[flags / DEVICE % 4];
	paths.cut = flags & CUT;
	verdict = (flags & INCOMING ? packet_in : packet_out)(rules, &paths, in, len, out, &out_len);
	if (verdict.outcome == MM_ORDINARY && !(flags & INCOMING))
		broken("out: passed on");
	if (verdict.outcome == MM_DROP && verdict.counter >= MM_COUNTERS)
		broken("no such counter");
	if (verdict.outcome != MM_PASS && verdict.outcome != MM_ORDINARY && verdict.outcome != MM_DROP)
		broken("no verdict");
	if (!mm_passes(verdict))
		return 0;
	if (rules->tunnel.on) {
		/* Nothing: an error that nobody is told of. */
		if (!(flags & INCOMING))
			check_encapsulated(rules, in, len, out, out_len);
		else if (out_len)
			check_decapsulated(rules, in, len, out, out_len);
		return 0;
	}
	/* Behind extension headers the checksum is looked for in vain. */
	was = checksum_right(in, len);
	if (flags & INCOMING)
		check_in(rules, in, out, out_len, was);
	else
		check_out(rules, in, len, out, out_len, was);
	return 0;
}
