// SPDX-License-Identifier: GPL-2.0-only
/* One line of the control file, read; and what it says about the device, written again. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/ipv6.h>

#include "core/keys.h"
#include "core/line.h"
#include "core/word.h"

static const char *const mm_verbs[] = {
	[MM_VERB_ADD] = "add",	     [MM_VERB_DEL] = "del",	  [MM_VERB_CONFIG] = "config",
	[MM_VERB_INSERT] = "insert", [MM_VERB_REMOVE] = "remove",
};

/* PORT[-PORT],... in ascending order, or "-" for none. */
static bool mm_ports(struct mm_word word, struct mm_nat_keys *nat)
{
	u32 first, last, before = 0;

	nat->reserved = 0;
	memset(nat->range, 0, sizeof(nat->range));
	if (mm_equal(word, "-"))
		return true;
	/* Behind a comma another range must follow. */
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

/* A number; or @none, which says that there is no number. */
static bool mm_unless(struct mm_word word, const char *none, u32 most, bool *given, u8 *value)
{
	u32 number = 0;

	*given = !mm_equal(word, none);
	if (*given && !mm_number(word, most, &number))
		return false;
	*value = number;
	return true;
}

/* A hop limit of 0 would reach nobody. */
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
		*(__be32 *)to &= mm_mask4(number);
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
		/* "-" is the device itself. */
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
 * Reads one line. A line that is empty or begins with # has no verb. On -EINVAL the line names the
 * word at fault.
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
		return mm_fault(line, word, "is not a command");
	word = mm_next_word(&text, &length);
	if (!mm_device_name(word, line->device))
		return mm_fault(line, word, "is not a valid device name");
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
			return mm_fault(line, key, "is not a key");
		if (line->keys & BIT(i))
			return mm_fault(line, key, "is given twice");
		if (line->verb == MM_VERB_REMOVE && BIT(i) & MM_DEVICE_KEYS)
			return mm_fault(line, key, "belongs to the device, not to a rule");
		word = mm_next_word(&text, &length);
		if (!word.length)
			return mm_fault(line, key, "has no value");
		if (!mm_value(&mm_keys[i], word, line))
			return mm_fault(line, word, "is not a valid value for its key");
		line->keys |= BIT(i);
	}
	if (line->verb > MM_VERB_DEL && !line->keys)
		return mm_fault(line, (struct mm_word){ line->device, strlen(line->device) },
				"is given no keys");
	return 0;
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

/* The same as mm_merge_nat, of how the device's packets travel. */
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
	if (given)
		return scnprintf(to, size, " %s %u", key, value);
	return scnprintf(to, size, " %s %s", key, none);
}

/* The keys of a device's transport in the same way; nothing where they are as if never set. */
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
