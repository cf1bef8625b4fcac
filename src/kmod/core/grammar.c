// SPDX-License-Identifier: GPL-2.0-only
/*
 * One line of the control file: VERB DEVICE [KEY VALUE ...]. The table is what reading, writing and
 * README.md share.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/inet.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/ipv6.h>

#include "mapmint.h"

enum mm_kind {
	MM_KIND_STYLE,
	MM_KIND_PREFIX4,
	MM_KIND_PREFIX6,
	MM_KIND_ADDRESS6,
	MM_KIND_NUMBER8,
	MM_KIND_NUMBER16,
	MM_KIND_DEBUG,
	MM_KIND_MTU,
	MM_KIND_MODE,
	MM_KIND_DEVICE,
	MM_KIND_FILTER,
	MM_KIND_PORTS,
	MM_KIND_TRANSPORT,
	MM_KIND_HOP_LIMIT,
	MM_KIND_ENCAP_LIMIT,
	MM_KIND_CLASS,
};

enum {
	MM_KEY_LOCAL_STYLE,
	MM_KEY_LOCAL_V4,
	MM_KEY_LOCAL_V6,
	MM_KEY_LOCAL_EA,
	MM_KEY_LOCAL_OFFSET,
	MM_KEY_REMOTE_STYLE,
	MM_KEY_REMOTE_V4,
	MM_KEY_REMOTE_V6,
	MM_KEY_REMOTE_EA,
	MM_KEY_REMOTE_OFFSET,
	MM_KEY_CE_V4,
	MM_KEY_CE_V6,
	MM_KEY_CE_OFFSET,
	MM_KEY_CE_PSID_LEN,
	MM_KEY_CE_PSID,
	/* From here on: of the device. */
	MM_KEY_DEBUG,
	MM_KEY_LOWEST_MTU,
	MM_KEY_NAT_MODE,
	MM_KEY_NAT_DEVICE,
	MM_KEY_NAT_FILTER,
	MM_KEY_NAT_RESERVED,
	MM_KEY_TRANSPORT,
	MM_KEY_HOP_LIMIT,
	MM_KEY_ENCAP_LIMIT,
	MM_KEY_CLASS,
	MM_KEYS,
};

#define MM_LOCAL_KEYS (BIT(MM_KEY_LOCAL_OFFSET + 1) - 1)
#define MM_REMOTE_KEYS ((BIT(MM_KEY_REMOTE_OFFSET + 1) - 1) & ~MM_LOCAL_KEYS)
#define MM_CE_KEYS ((BIT(MM_KEY_CE_PSID + 1) - 1) & ~(MM_LOCAL_KEYS | MM_REMOTE_KEYS))
#define MM_PAIR_KEYS (BIT(MM_KEY_DEBUG) - 1)
#define MM_DEVICE_KEYS (BIT(MM_KEYS) - BIT(MM_KEY_LOWEST_MTU))

/* @length: where the prefix length goes. @most: the largest number, or prefix length. */
static const struct mm_key {
	const char *name;
	enum mm_kind kind;
	unsigned int at;
	unsigned int length;
	u32 most;
} mm_keys[MM_KEYS] = {
#define MM_AT(member) offsetof(struct mm_pair, member)
	[MM_KEY_LOCAL_STYLE] = { "local.style", MM_KIND_STYLE, MM_AT(local.style) },
	[MM_KEY_LOCAL_V4] = { "local.v4", MM_KIND_PREFIX4, MM_AT(local.v4),
		MM_AT(local.v4_len), 32 },
	[MM_KEY_LOCAL_V6] = { "local.v6", MM_KIND_PREFIX6, MM_AT(local.v6),
		MM_AT(local.v6_len), 128 },
	[MM_KEY_LOCAL_EA] = { "local.ea-len", MM_KIND_NUMBER8, MM_AT(local.ea_len), 0, 48 },
	[MM_KEY_LOCAL_OFFSET] = { "local.psid-offset", MM_KIND_NUMBER8, MM_AT(local.psid_offset), 0,
				  15 },
	[MM_KEY_REMOTE_STYLE] = { "remote.style", MM_KIND_STYLE, MM_AT(remote.style) },
	[MM_KEY_REMOTE_V4] = { "remote.v4", MM_KIND_PREFIX4, MM_AT(remote.v4),
		MM_AT(remote.v4_len), 32 },
	[MM_KEY_REMOTE_V6] = { "remote.v6", MM_KIND_PREFIX6, MM_AT(remote.v6),
		MM_AT(remote.v6_len), 128 },
	[MM_KEY_REMOTE_EA] = { "remote.ea-len", MM_KIND_NUMBER8, MM_AT(remote.ea_len), 0, 48 },
	[MM_KEY_REMOTE_OFFSET] = { "remote.psid-offset", MM_KIND_NUMBER8,
				   MM_AT(remote.psid_offset), 0, 15 },
	[MM_KEY_CE_V4] = { "ce.v4", MM_KIND_PREFIX4, MM_AT(edge.v4),
		MM_AT(edge.v4_len), 32 },
	[MM_KEY_CE_V6] = { "ce.v6", MM_KIND_ADDRESS6, MM_AT(edge.v6) },
	[MM_KEY_CE_OFFSET] = { "ce.psid-offset", MM_KIND_NUMBER8, MM_AT(edge.psid_offset), 0, 15 },
	[MM_KEY_CE_PSID_LEN] = { "ce.psid-len", MM_KIND_NUMBER8, MM_AT(edge.psid_len), 0, 16 },
	[MM_KEY_CE_PSID] = { "ce.psid", MM_KIND_NUMBER16, MM_AT(edge.psid), 0, 65535 },
	[MM_KEY_DEBUG] = { "debug", MM_KIND_DEBUG, 0, 0, INT_MAX },
	[MM_KEY_LOWEST_MTU] = { "lowest-ipv6-mtu", MM_KIND_MTU, 0, 0, 65535 },
	[MM_KEY_NAT_MODE] = { "nat.mode", MM_KIND_MODE },
	[MM_KEY_NAT_DEVICE] = { "nat.device", MM_KIND_DEVICE },
	[MM_KEY_NAT_FILTER] = { "nat.filter", MM_KIND_FILTER },
	[MM_KEY_NAT_RESERVED] = { "nat.reserved", MM_KIND_PORTS },
	[MM_KEY_TRANSPORT] = { "transport", MM_KIND_TRANSPORT },
	[MM_KEY_HOP_LIMIT] = { "tunnel.hop-limit", MM_KIND_HOP_LIMIT, 0, 0, 255 },
	[MM_KEY_ENCAP_LIMIT] = { "tunnel.encap-limit", MM_KIND_ENCAP_LIMIT, 0, 0, 255 },
	[MM_KEY_CLASS] = { "tunnel.traffic-class", MM_KIND_CLASS, 0, 0, 255 },
};

static const char *const mm_styles[] = {
	[MM_STYLE_NONE] = "NONE",
	[MM_STYLE_MAP] = "MAP",
	[MM_STYLE_MAP0] = "MAP0",
	[MM_STYLE_RFC6052] = "RFC6052",
};

static const char *const mm_verbs[] = {
	[MM_VERB_ADD] = "add",	     [MM_VERB_DEL] = "del",	  [MM_VERB_CONFIG] = "config",
	[MM_VERB_INSERT] = "insert", [MM_VERB_REMOVE] = "remove",
};

struct mm_word {
	const char *text;
	int length;
};

static bool mm_equal(struct mm_word word, const char *name)
{
	return name && (int)strlen(name) == word.length && !memcmp(name, word.text, word.length);
}

/* The next word of a line; its length is 0 at the end. */
static struct mm_word mm_next_word(const char **text, int *left)
{
	struct mm_word word;

	while (*left && (**text == ' ' || **text == '\t' || **text == '\r')) {
		(*text)++;
		(*left)--;
	}
	word.text = *text;
	while (*left && **text != ' ' && **text != '\t' && **text != '\r') {
		(*text)++;
		(*left)--;
	}
	word.length = *text - word.text;
	return word;
}

/* Decimal digits and nothing else, no leading zero. */
static bool mm_number(struct mm_word word, u32 most, u32 *value)
{
	u64 sum = 0;
	int i;

	if (!word.length || word.length > 10 || (word.length > 1 && *word.text == '0'))
		return false;
	for (i = 0; i < word.length; i++) {
		if (!isdigit(word.text[i]))
			return false;
		sum = sum * 10 + (word.text[i] - '0');
	}
	*value = sum;
	return sum <= most;
}

static bool mm_address4(struct mm_word word, __be32 *v4)
{
	u32 address = 0;
	int part;

	for (part = 0; part < 4; part++) {
		struct mm_word digits = { word.text, 0 };
		u32 octet;

		while (word.length && *word.text != '.') {
			word.text++;
			word.length--;
			digits.length++;
		}
		if (!mm_number(digits, 255, &octet))
			return false;
		address = address << 8 | octet;
		if (part < 3) {
			if (!word.length)
				return false;
			word.text++;
			word.length--;
		}
	}
	*v4 = htonl(address);
	return !word.length;
}

static bool mm_address6(struct mm_word word, struct in6_addr *v6)
{
	const char *end;

	return word.length && word.length < INET6_ADDRSTRLEN &&
	       in6_pton(word.text, word.length, v6->s6_addr, -1, &end) &&
	       end == word.text + word.length;
}

/* ADDRESS/LENGTH; an address alone is a prefix of all its bits. */
static bool mm_split(struct mm_word word, u32 most, struct mm_word *address, u32 *length)
{
	int i;

	*address = word;
	*length = most;
	for (i = 0; i < word.length; i++)
		if (word.text[i] == '/') {
			address->length = i;
			return mm_number((struct mm_word){ word.text + i + 1, word.length - i - 1 },
					 most, length);
		}
	return true;
}

/* One of two words: false or true. */
static bool mm_either(struct mm_word word, const char *no, const char *yes, bool *value)
{
	*value = mm_equal(word, yes);
	return *value || mm_equal(word, no);
}

/* @name: IFNAMSIZ octets. */
static bool mm_device_name(struct mm_word word, char *name)
{
	memset(name, 0, IFNAMSIZ);
	if (!word.length || word.length >= IFNAMSIZ || memchr(word.text, 0, word.length))
		return false;
	memcpy(name, word.text, word.length);
	return dev_valid_name(name);
}

/* The part of a word before a character; the word is what comes behind it. */
static struct mm_word mm_until(struct mm_word *word, char end)
{
	struct mm_word part = { word->text, 0 };

	while (part.length < word->length && part.text[part.length] != end)
		part.length++;
	word->text += min(word->length, part.length + 1);
	word->length -= min(word->length, part.length + 1);
	return part;
}

/* PORT[-PORT],... in ascending order, or - for none. */
static bool mm_ports(struct mm_word word, struct mm_nat_keys *nat)
{
	u32 first, last, before = 0;

	nat->reserved = 0;
	memset(nat->range, 0, sizeof(nat->range));
	if (mm_equal(word, "-"))
		return true;
	/* A comma at the end has nothing behind it. */
	if (!word.length || word.text[word.length - 1] == ',')
		return false;
	while (word.length) {
		struct mm_word part = mm_until(&word, ',');
		bool range = memchr(part.text, '-', part.length);

		if (nat->reserved == MM_MAX_RESERVED ||
		    !mm_number(mm_until(&part, '-'), 65535, &first))
			return false;
		last = first;
		if (range && !mm_number(part, 65535, &last))
			return false;
		if (first <= before || last < first)
			return false;
		before = last;
		nat->range[nat->reserved++] = (struct mm_reserved){ first, last };
	}
	return true;
}

/* A number, or a word that says there is none. */
static bool mm_unless(struct mm_word word, const char *none, u32 most, bool *given, u8 *value)
{
	u32 number = 0;

	*given = !mm_equal(word, none);
	if (*given && !mm_number(word, most, &number))
		return false;
	*value = number;
	return true;
}

/* Of a hop limit, 0 is none. */
static bool mm_hop_limit(struct mm_word word, u32 most, u8 *value)
{
	bool given;

	return mm_unless(word, "inherit", most, &given, value) && (!given || *value);
}

static bool mm_value(const struct mm_key *key, struct mm_word word, struct mm_line *line)
{
	void *to = (char *)&line->pair + key->at;
	struct mm_word address;
	struct in6_addr v6;
	u32 number;
	size_t i;

	switch (key->kind) {
	case MM_KIND_STYLE:
		for (i = 0; i < ARRAY_SIZE(mm_styles); i++)
			if (mm_equal(word, mm_styles[i])) {
				*(u8 *)to = i;
				return true;
			}
		return false;
	case MM_KIND_PREFIX4:
		if (!mm_split(word, key->most, &address, &number) ||
		    !mm_address4(address, (__be32 *)to))
			return false;
		*(__be32 *)to &= number ? htonl(~0U << (32 - number)) : 0;
		*((u8 *)&line->pair + key->length) = number;
		return true;
	case MM_KIND_PREFIX6:
		if (!mm_split(word, key->most, &address, &number) || !mm_address6(address, &v6))
			return false;
		ipv6_addr_prefix((struct in6_addr *)to, &v6, number);
		*((u8 *)&line->pair + key->length) = number;
		return true;
	case MM_KIND_ADDRESS6:
		return mm_address6(word, (struct in6_addr *)to);
	case MM_KIND_NUMBER8:
		if (!mm_number(word, key->most, &number))
			return false;
		*(u8 *)to = number;
		return true;
	case MM_KIND_NUMBER16:
		if (!mm_number(word, key->most, &number))
			return false;
		*(u16 *)to = number;
		return true;
	case MM_KIND_DEBUG:
		if (!mm_number(word, key->most, &number))
			return false;
		line->debug = number;
		return true;
	case MM_KIND_MTU:
		return mm_number(word, key->most, &line->lowest_mtu) &&
		       line->lowest_mtu >= IPV6_MIN_MTU;
	case MM_KIND_MODE:
		return mm_either(word, "off", "ports", &line->nat.on);
	case MM_KIND_DEVICE:
		/* - for our own. */
		return mm_equal(word, "-") || mm_device_name(word, line->nat.device);
	case MM_KIND_FILTER:
		return mm_either(word, "address", "endpoint", &line->nat.endpoint_filter);
	case MM_KIND_PORTS:
		return mm_ports(word, &line->nat);
	case MM_KIND_TRANSPORT:
		return mm_either(word, "translate", "encapsulate", &line->tunnel.on);
	case MM_KIND_HOP_LIMIT:
		return mm_hop_limit(word, key->most, &line->tunnel.hop_limit);
	case MM_KIND_ENCAP_LIMIT:
		return mm_unless(word, "none", key->most, &line->tunnel.limited,
				 &line->tunnel.encap_limit);
	case MM_KIND_CLASS:
		return mm_unless(word, "inherit", key->most, &line->tunnel.fixed_class,
				 &line->tunnel.traffic_class);
	}
	return false;
}

static int mm_fault(struct mm_line *line, struct mm_word word, const char *why)
{
	line->word = word.text;
	line->word_len = word.length;
	line->why = why;
	return -EINVAL;
}

/*
 * Reads one line; an empty one and one that begins with # have no verb. -EINVAL names the word that
 * is at fault.
 */
int mm_parse_line(const char *text, int length, struct mm_line *line)
{
	struct mm_word word;
	int i;

	memset(line, 0, sizeof(*line));
	word = mm_next_word(&text, &length);
	if (!word.length || *word.text == '#')
		return 0;
	for (i = MM_VERB_ADD; i <= MM_VERB_REMOVE; i++)
		if (mm_equal(word, mm_verbs[i]))
			line->verb = i;
	if (line->verb == MM_VERB_NONE)
		return mm_fault(line, word, "is no command");
	word = mm_next_word(&text, &length);
	if (!mm_device_name(word, line->device))
		return mm_fault(line, word, "is no name of a device");
	for (;;) {
		struct mm_word key = mm_next_word(&text, &length);

		if (!key.length)
			break;
		if (line->verb == MM_VERB_ADD || line->verb == MM_VERB_DEL)
			return mm_fault(line, key, "is one word too many");
		for (i = 0; i < MM_KEYS; i++)
			if (mm_equal(key, mm_keys[i].name))
				break;
		if (i == MM_KEYS)
			return mm_fault(line, key, "is no key");
		if (line->keys & BIT(i))
			return mm_fault(line, key, "is given twice");
		if (line->verb == MM_VERB_REMOVE && BIT(i) & MM_DEVICE_KEYS)
			return mm_fault(line, key, "is of no rule");
		word = mm_next_word(&text, &length);
		if (!word.length)
			return mm_fault(line, key, "has no value");
		if (!mm_value(&mm_keys[i], word, line))
			return mm_fault(line, word, "is no value for its key");
		line->keys |= BIT(i);
	}
	if (line->verb > MM_VERB_DEL && !line->keys)
		return mm_fault(line, (struct mm_word){ line->device, strlen(line->device) },
				"is given no keys");
	return 0;
}

static int mm_size(const struct mm_key *key)
{
	switch (key->kind) {
	case MM_KIND_PREFIX4:
		return sizeof(__be32);
	case MM_KIND_PREFIX6:
	case MM_KIND_ADDRESS6:
		return sizeof(struct in6_addr);
	case MM_KIND_NUMBER16:
		return sizeof(u16);
	default:
		return sizeof(u8);
	}
}

/* Puts the values that a line gives into a pair; the others stay. */
void mm_merge(struct mm_pair *pair, const struct mm_line *line)
{
	int i;

	for (i = 0; i < MM_KEY_DEBUG; i++) {
		const struct mm_key *key = &mm_keys[i];

		if (!(line->keys & BIT(i)))
			continue;
		memcpy((char *)pair + key->at, (char *)&line->pair + key->at, mm_size(key));
		if (key->length)
			*((u8 *)pair + key->length) = *((u8 *)&line->pair + key->length);
	}
	pair->has_local |= !!(line->keys & MM_LOCAL_KEYS);
	pair->has_remote |= !!(line->keys & MM_REMOTE_KEYS);
	pair->edge.has_v4 |= !!(line->keys & BIT(MM_KEY_CE_V4));
	pair->edge.has_v6 |= !!(line->keys & BIT(MM_KEY_CE_V6));
}

/* A pair has all the values that a line gives. */
bool mm_matches(const struct mm_pair *pair, const struct mm_line *line)
{
	int i;

	if ((line->keys & MM_LOCAL_KEYS && !pair->has_local) ||
	    (line->keys & MM_REMOTE_KEYS && !pair->has_remote) ||
	    (line->keys & MM_CE_KEYS && !pair->edge.has_v4))
		return false;
	for (i = 0; i < MM_KEY_DEBUG; i++) {
		const struct mm_key *key = &mm_keys[i];

		if (!(line->keys & BIT(i)))
			continue;
		if (memcmp((char *)pair + key->at, (char *)&line->pair + key->at, mm_size(key)))
			return false;
		if (key->length &&
		    *((u8 *)pair + key->length) != *((u8 *)&line->pair + key->length))
			return false;
	}
	return true;
}

/* What holds of a whole pair; @why is the key that does not fit. */
bool mm_valid_pair(const struct mm_pair *pair, const char **why)
{
	const struct mm_edge *edge = &pair->edge;

	if (!mm_valid_side(&pair->local, why) || !mm_valid_side(&pair->remote, why))
		return false;
	/*
	 * An address and its ports alone are for a NAT whose out-device is another's;
	 * mm_nat_valid sees to that.
	 */
	if (edge->has_v6 && !edge->has_v4) {
		*why = "ce.v4";
		return false;
	}
	if (edge->has_v4 && pair->has_local && !edge->has_v6) {
		*why = "ce.v6";
		return false;
	}
	if (edge->has_v6 && !pair->has_local) {
		*why = "local.style";
		return false;
	}
	if (edge->psid_offset + edge->psid_len > 16) {
		*why = "ce.psid-offset";
		return false;
	}
	/* RFC 7597 s5.2: a CE with an IPv4 prefix has all ports. */
	if (edge->psid >> edge->psid_len || (edge->psid_len && edge->v4_len < 32)) {
		*why = "ce.psid-len";
		return false;
	}
	return true;
}

bool mm_sets_debug(const struct mm_line *line)
{
	return line->keys & BIT(MM_KEY_DEBUG);
}

bool mm_sets_pair(const struct mm_line *line)
{
	return line->keys & MM_PAIR_KEYS;
}

/* The same as mm_merge, of what the device's NAT is told. */
void mm_merge_nat(struct mm_nat_keys *nat, const struct mm_line *line)
{
	if (line->keys & BIT(MM_KEY_NAT_MODE))
		nat->on = line->nat.on;
	if (line->keys & BIT(MM_KEY_NAT_DEVICE))
		memcpy(nat->device, line->nat.device, sizeof(nat->device));
	if (line->keys & BIT(MM_KEY_NAT_FILTER))
		nat->endpoint_filter = line->nat.endpoint_filter;
	if (line->keys & BIT(MM_KEY_NAT_RESERVED)) {
		nat->reserved = line->nat.reserved;
		memcpy(nat->range, line->nat.range, sizeof(nat->range));
	}
}

/* The keys of a pair, each with a space before it. */
int mm_print_pair(const struct mm_pair *pair, char *to, int size)
{
	int i, at = 0;

	for (i = 0; i < MM_KEY_DEBUG; i++) {
		const struct mm_key *key = &mm_keys[i];
		const void *from = (const char *)pair + key->at;
		u8 length = *((const u8 *)pair + key->length);

		if ((BIT(i) & MM_LOCAL_KEYS && !pair->has_local) ||
		    (BIT(i) & MM_REMOTE_KEYS && !pair->has_remote) ||
		    (BIT(i) & MM_CE_KEYS && !pair->edge.has_v4) ||
		    (i == MM_KEY_CE_V6 && !pair->edge.has_v6))
			continue;
		at += scnprintf(to + at, size - at, " %s ", key->name);
		switch (key->kind) {
		case MM_KIND_STYLE:
			at += scnprintf(to + at, size - at, "%s", mm_styles[*(const u8 *)from]);
			break;
		case MM_KIND_PREFIX4:
			at += scnprintf(to + at, size - at, "%pI4/%u", from, length);
			break;
		case MM_KIND_PREFIX6:
			at += scnprintf(to + at, size - at, "%pI6c/%u", from, length);
			break;
		case MM_KIND_ADDRESS6:
			at += scnprintf(to + at, size - at, "%pI6c", from);
			break;
		case MM_KIND_NUMBER8:
			at += scnprintf(to + at, size - at, "%u", *(const u8 *)from);
			break;
		case MM_KIND_NUMBER16:
			at += scnprintf(to + at, size - at, "%u", *(const u16 *)from);
			break;
		default:
			break;
		}
	}
	return at;
}

/* The keys of a device's NAT in the same way; nothing where all is as if never set. */
int mm_print_nat(const struct mm_nat_keys *nat, char *to, int size)
{
	int i, at;

	*to = 0;
	if (!nat->on && !nat->endpoint_filter && !*nat->device && !nat->reserved)
		return 0;
	at = scnprintf(to, size, " nat.mode %s nat.device %s nat.filter %s nat.reserved ",
		       nat->on ? "ports" : "off", *nat->device ? nat->device : "-",
		       nat->endpoint_filter ? "endpoint" : "address");
	if (!nat->reserved)
		at += scnprintf(to + at, size - at, "-");
	for (i = 0; i < nat->reserved; i++) {
		const struct mm_reserved *range = &nat->range[i];

		at += scnprintf(to + at, size - at, "%s%u", i ? "," : "", range->first);
		if (range->last != range->first)
			at += scnprintf(to + at, size - at, "-%u", range->last);
	}
	return at;
}

/* The same as mm_merge, of how the device's packets travel. */
void mm_merge_tunnel(struct mm_tunnel_keys *tunnel, const struct mm_line *line)
{
	if (line->keys & BIT(MM_KEY_TRANSPORT))
		tunnel->on = line->tunnel.on;
	if (line->keys & BIT(MM_KEY_HOP_LIMIT))
		tunnel->hop_limit = line->tunnel.hop_limit;
	if (line->keys & BIT(MM_KEY_ENCAP_LIMIT)) {
		tunnel->limited = line->tunnel.limited;
		tunnel->encap_limit = line->tunnel.encap_limit;
	}
	if (line->keys & BIT(MM_KEY_CLASS)) {
		tunnel->fixed_class = line->tunnel.fixed_class;
		tunnel->traffic_class = line->tunnel.traffic_class;
	}
}

static int mm_print_unless(char *to, int size, const char *key, const char *none, bool given,
			   u8 value)
{
	return given ? scnprintf(to, size, " %s %u", key, value) :
		       scnprintf(to, size, " %s %s", key, none);
}

/* The keys of a device's transport in the same way; nothing where all is as if never set. */
int mm_print_tunnel(const struct mm_tunnel_keys *tunnel, char *to, int size)
{
	int at;

	*to = 0;
	if (!tunnel->on && tunnel->hop_limit == MM_HOP_LIMIT && !tunnel->limited &&
	    !tunnel->fixed_class)
		return 0;
	at = scnprintf(to, size, " transport %s", tunnel->on ? "encapsulate" : "translate");
	at += mm_print_unless(to + at, size - at, "tunnel.hop-limit", "inherit", tunnel->hop_limit,
			      tunnel->hop_limit);
	at += mm_print_unless(to + at, size - at, "tunnel.encap-limit", "none", tunnel->limited,
			      tunnel->encap_limit);
	at += mm_print_unless(to + at, size - at, "tunnel.traffic-class", "inherit",
			      tunnel->fixed_class, tunnel->traffic_class);
	return at;
}

/* A tunnel has ends, which an embedded address does not name. */
static bool mm_valid_end(const struct mm_side *side)
{
	return side->style == MM_STYLE_MAP || side->style == MM_STYLE_MAP0 ||
	       (side->style == MM_STYLE_NONE && side->v6_len == 128);
}

/* What holds of all pairs of a device together; @why is the key that does not fit. */
bool mm_valid_transport(const struct mm_rules *rules, const char **why)
{
	int i;

	for (i = 0; rules->tunnel.on && i < rules->count; i++) {
		const struct mm_pair *pair = &rules->pair[i];

		if (pair->has_local && !pair->edge.has_v6 && !mm_valid_end(&pair->local)) {
			*why = "local.style";
			return false;
		}
		if (pair->has_remote && !mm_valid_end(&pair->remote)) {
			*why = "remote.style";
			return false;
		}
	}
	return true;
}
