// SPDX-License-Identifier: GPL-2.0-only
/* The packet that an ICMP error quotes: what both families read of it and write of it. */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>

#include "core/quote.h"
#include "core/transport.h"

/* RFC 4884 s5.1: a quoted packet with extensions behind it is padded to at least this. */
#define MM_QUOTE_MIN 128

/* RFC 4884 s4: the quoted packet's length counts units of so many octets. */
static unsigned int mm_quote_unit(enum mm_family family)
{
	return family == MM_IPV6 ? 8 : 4;
}

static unsigned int mm_quote_length(enum mm_family family, const u8 *head)
{
	if (family == MM_IPV4)
		return head[5] * mm_quote_unit(family);
	/* Of ICMPv6 only these have a length. In others the octet is of an MTU or a pointer. */
	if (head[0] != ICMPV6_DEST_UNREACH && head[0] != ICMPV6_TIME_EXCEED)
		return 0;
	return head[4] * mm_quote_unit(family);
}

/* Reads the error whose ICMP header is at @at. False: it is cut short. */
bool mm_read_error(const u8 *in, unsigned int len, unsigned int at, enum mm_family family,
		   struct mm_error *error)
{
	const u8 *head = in + at;
	unsigned int length;

	if (at + MM_ICMP_LEN > len)
		return false;
	error->type = head[0];
	error->code = head[1];
	memcpy(&error->rest, head + 4, 4);
	error->quote = head + MM_ICMP_LEN;
	error->quote_len = len - at - MM_ICMP_LEN;
	error->extension_len = 0;
	length = mm_quote_length(family, head);
	if (length >= MM_QUOTE_MIN && length < error->quote_len) {
		error->extension = error->quote + length;
		error->extension_len = error->quote_len - length;
		error->quote_len = length;
	}
	return true;
}

static bool mm_is_echo(u8 type, enum mm_family family)
{
	if (family == MM_IPV6)
		return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY;
}

/* Reads the ports, or an echo's id. False: nobody sends us an error about such a packet. */
bool mm_quoted_ports(const struct mm_error *error, enum mm_family family,
		     struct mm_quoted *quoted)
{
	const u8 *at = error->quote + quoted->header;
	unsigned int left = error->quote_len - quoted->header;
	bool icmp = quoted->protocol == (family == MM_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	/* s1.2: neither ICMP in fragments nor the other family's ICMP is ever translated. */
	if (icmp && (quoted->offset || quoted->more))
		return false;
	if (quoted->protocol == (family == MM_IPV6 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	/* A later fragment has no ports. It is ours where the rules ask for none. */
	if (quoted->offset)
		return true;
	if (quoted->protocol == IPPROTO_TCP || quoted->protocol == IPPROTO_UDP) {
		if (left < 4)
			return false;
		quoted->src = (struct mm_port){ at[0] << 8 | at[1], true };
		quoted->dst = (struct mm_port){ at[2] << 8 | at[3], true };
	} else if (icmp) {
		if (left < MM_ICMP_LEN || !mm_is_echo(at[0], family))
			return false;
		quoted->src = (struct mm_port){ at[4] << 8 | at[5], true };
		quoted->dst = quoted->src;
	}
	return true;
}

/* The sum of ICMPv6's pseudo-header (RFC 4443 s2.3) between two addresses in a row. */
static __wsum mm_pseudo6(const struct in6_addr *address, unsigned int length)
{
	return csum_unfold(~csum_ipv6_magic(&address[0], &address[1], length, IPPROTO_ICMPV6, 0));
}

/* Type and code change as one word of the sum. Only ICMPv6 has a pseudo-header. */
static void mm_quoted_echo(u8 *to, const struct mm_quoted *quoted, const struct in6_addr *addr6,
			   enum mm_family to_family)
{
	__sum16 check;
	__wsum sum;

	memcpy(&check, to + 2, sizeof(check));
	sum = ~csum_unfold(check);
	sum = csum_sub(sum, csum_partial(to, 2, 0));
	if (to_family == MM_IPV6)
		to[0] = to[0] == ICMP_ECHO ? ICMPV6_ECHO_REQUEST : ICMPV6_ECHO_REPLY;
	else
		to[0] = to[0] == ICMPV6_ECHO_REQUEST ? ICMP_ECHO : ICMP_ECHOREPLY;
	sum = csum_add(sum, csum_partial(to, 2, 0));
	if (to_family == MM_IPV6)
		sum = csum_add(sum, mm_pseudo6(addr6, quoted->length));
	else
		sum = csum_sub(sum, mm_pseudo6(addr6, quoted->length));
	check = csum_fold(sum);
	memcpy(to + 2, &check, sizeof(check));
}

/*
 * Copies the quoted transport header and what follows, and changes its checksum for the other
 * family's addresses.
 */
void mm_copy_quoted(struct mm_writer *w, const struct mm_error *error,
		    const struct mm_quoted *quoted, const __be32 *addr4,
		    const struct in6_addr *addr6, enum mm_family to_family)
{
	unsigned int length = min(error->quote_len - quoted->header, w->limit - w->len);
	unsigned int offset = mm_check_offset(quoted->protocol);
	u8 *to = w->out + w->len;
	__sum16 check;

	memcpy(to, error->quote + quoted->header, length);
	w->len += length;
	if (quoted->protocol == (to_family == MM_IPV6 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		mm_quoted_echo(to, quoted, addr6, to_family);
		return;
	}
	if (!offset || quoted->offset || offset + sizeof(check) > length)
		return;
	memcpy(&check, to + offset, sizeof(check));
	/* A UDP checksum that was not computed stays so: a quote is only recognized. */
	if (quoted->protocol == IPPROTO_UDP && !check)
		return;
	if (to_family == MM_IPV6)
		check = mm_replace_pseudo(check, addr4, 8, addr6, 32);
	else
		check = mm_replace_pseudo(check, addr6, 32, addr4, 8);
	check = mm_nonzero(quoted->protocol, check);
	memcpy(to + offset, &check, sizeof(check));
}

/*
 * RFC 4884 s4, RFC 7915 s4.2: the extensions follow the quoted packet, which is cut or padded to
 * whole units. The length in units; 0 where there are no extensions, or no room for them.
 */
u32 mm_append_extension(struct mm_writer *w, const struct mm_error *error,
			enum mm_family to_family)
{
	unsigned int unit = mm_quote_unit(to_family);
	unsigned int room = w->limit - w->start;
	unsigned int length = w->len - w->start;
	unsigned int padded = max_t(unsigned int, round_up(length, unit), MM_QUOTE_MIN);

	if (!error->extension_len || error->extension_len + MM_QUOTE_MIN > room)
		return 0;
	if (padded + error->extension_len > room)
		padded = round_down(room - error->extension_len, unit);
	if (padded > length)
		memset(w->out + w->len, 0, padded - length);
	w->len = w->start + padded;
	memcpy(w->out + w->len, error->extension, error->extension_len);
	w->len += error->extension_len;
	return padded / unit;
}
