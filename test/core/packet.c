// SPDX-License-Identifier: GPL-2.0-only
#include "packet.h"

static u32 path_mtu6(const struct mm_env *env, const struct in6_addr *dst)
{
	(void)dst;
	return ((const struct packet_paths *)env->context)->limit6;
}

/* The part of a packet that is shown: memory of its own, so that a read behind it is seen. */
static u8 *shown(const u8 *in, unsigned int len, unsigned int most)
{
	u8 *head = malloc(min(len, most) ? min(len, most) : 1);

	if (!head)
		exit(3);
	memcpy(head, in, min(len, most));
	return head;
}

static void apply(const struct mm_xlat *x, const u8 *in, unsigned int len, u8 *out, unsigned int *out_len)
{
	memcpy(out, x->header, x->size);
	memcpy(out + x->size, in + x->strip, len - x->strip);
	if (x->check_at)
		memcpy(out + x->size + x->check_at - x->strip, &x->check, sizeof(x->check));
	if (x->retype)
		out[x->size] = x->type;
	*out_len = x->size + len - x->strip;
}

static struct mm_verdict translated_out(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in,
					unsigned int len, u8 *out, unsigned int *out_len)
{
	struct mm_env env = { rules, paths->mtu4, path_mtu6, (void *)paths };
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len };
	struct mm_xlat x = {};
	unsigned int limit;
	struct mm_verdict verdict = mm_xlat4(rules, &packet, &x);

	free(head);
	if (verdict.outcome == MM_ICMP_ERROR) {
		head = shown(in, len, len);
		verdict = mm_error4(&env, head, len, out, out_len);
		free(head);
		return verdict;
	}
	if (verdict.outcome == MM_SHOW_MORE)
		return mm_drop(MM_DROP_HEADER);
	if (!mm_passes(verdict))
		return verdict;
	limit = min(paths->limit6 - (x.size - x.strip), paths->mtu4);
	if (x.df && len > limit) {
		limit = min(paths->limit6 + sizeof(struct iphdr) - x.size, paths->mtu4);
		return mm_refuse(MM_DROP_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, limit);
	}
	if (x.sum) {
		const struct ipv6hdr *ip6h = (const struct ipv6hdr *)x.header;

		x.check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, x.sum, IPPROTO_UDP,
					  csum_partial(in + x.strip, x.sum, 0));
		if (!x.check)
			x.check = CSUM_MANGLED_0;
	}
	apply(&x, in, len, out, out_len);
	return mm_pass();
}

static struct mm_verdict translated_in(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in,
				       unsigned int len, u8 *out, unsigned int *out_len)
{
	struct mm_env env = { rules, paths->mtu4, path_mtu6, (void *)paths };
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len, .cut = paths->cut };
	struct mm_xlat x = {};
	struct mm_verdict verdict = mm_xlat6(rules, &packet, &x);

	if (verdict.outcome == MM_SHOW_MORE) {
		free(head);
		head = shown(in, len, len);
		packet.head = head;
		packet.head_len = len;
		verdict = mm_xlat6(rules, &packet, &x);
	}
	if (verdict.outcome == MM_ICMP_ERROR) {
		struct iphdr *iph = (struct iphdr *)out;

		free(head);
		head = shown(in, len, len);
		verdict = mm_error6(&env, head, len, out, out_len);
		if (mm_passes(verdict)) {
			iph->id = htons(PACKET_ID);
			iph->check = 0;
			iph->check = ip_fast_csum(iph, 5);
		}
	} else if (mm_passes(verdict)) {
		if (x.id_due)
			mm_set_id(&x, htons(PACKET_ID));
		apply(&x, in, len, out, out_len);
	}
	free(head);
	return verdict;
}

static struct mm_verdict encapsulated(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in,
				      unsigned int len, u8 *out, unsigned int *out_len)
{
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len };
	struct mm_encap e = {};
	unsigned int limit;
	struct mm_verdict verdict = mm_encap4(rules, &packet, &e);

	free(head);
	if (verdict.outcome == MM_SHOW_MORE)
		return mm_drop(MM_DROP_HEADER);
	if (!mm_passes(verdict))
		return verdict;
	limit = min(paths->limit6 - e.size, paths->mtu4);
	if (e.df && len > limit)
		return mm_refuse(MM_DROP_TOO_BIG, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, limit);
	memcpy(out, e.header, e.size);
	memcpy(out + e.size, in, len);
	*out_len = e.size + len;
	return mm_pass();
}

static struct mm_verdict decapsulated(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in,
				      unsigned int len, u8 *out, unsigned int *out_len)
{
	struct mm_env env = { rules, paths->mtu4, path_mtu6, (void *)paths };
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len, .cut = paths->cut };
	struct mm_decap d = {};
	struct mm_verdict verdict = mm_decap6(rules, &packet, &d);

	if (verdict.outcome == MM_SHOW_MORE) {
		free(head);
		head = shown(in, len, len);
		packet.head = head;
		packet.head_len = len;
		verdict = mm_decap6(rules, &packet, &d);
	}
	if (verdict.outcome == MM_ICMP_ERROR) {
		bool learn;

		free(head);
		head = shown(in, len, len);
		verdict = mm_tunnel_error(&env, head, len, out, out_len, &learn);
	} else if (mm_passes(verdict)) {
		struct iphdr *iph = (struct iphdr *)out;

		*out_len = len - d.strip;
		memcpy(out, in + d.strip, *out_len);
		if (d.mark) {
			iph->tos = (iph->tos & 0xfc) | d.ecn;
			iph->check = 0;
			iph->check = ip_fast_csum(iph, iph->ihl);
		}
	}
	free(head);
	return verdict;
}

struct mm_verdict packet_out(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len,
			     u8 *out, unsigned int *out_len)
{
	return (rules->tunnel.on ? encapsulated : translated_out)(rules, paths, in, len, out, out_len);
}

struct mm_verdict packet_in(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len,
			    u8 *out, unsigned int *out_len)
{
	return (rules->tunnel.on ? decapsulated : translated_in)(rules, paths, in, len, out, out_len);
}

static unsigned int from_hex(const char *hex, u8 *to)
{
	unsigned int n = 0, octet;

	while (n < PACKET_MOST && hex && sscanf(hex + 2 * n, "%2x", &octet) == 1 && hex[2 * n + 1] && hex[2 * n + 1] != ' ')
		to[n++] = octet;
	return n;
}

void answer_packet(const struct mm_rules *rules, bool outgoing, char *words)
{
	static u8 in[PACKET_MOST] __aligned(8), out[PACKET_MOST] __aligned(8);
	struct packet_paths paths = { 1500, 1500, false };
	unsigned int i, out_len = 0, len = from_hex(strsep(&words, " "), in);
	char *word;
	struct mm_verdict verdict;

	while ((word = strsep(&words, " "))) {
		char *value = strchr(word, '=');

		if (!value)
			exit(2);
		*value++ = 0;
		if (!strcmp(word, "limit6"))
			paths.limit6 = strtoul(value, NULL, 10);
		else if (!strcmp(word, "mtu4"))
			paths.mtu4 = strtoul(value, NULL, 10);
		else if (!strcmp(word, "cut"))
			paths.cut = *value == '1';
		else
			exit(2);
	}
	verdict = (outgoing ? packet_out : packet_in)(rules, &paths, in, len, out, &out_len);
	if (verdict.outcome == MM_ORDINARY) {
		puts("pass");
		return;
	}
	if (verdict.outcome == MM_DROP) {
		printf("drop %s", mm_counter_names[verdict.counter]);
		if (verdict.icmp_type)
			printf(" icmp %u %u %u", verdict.icmp_type, verdict.icmp_code, verdict.icmp_rest);
		puts("");
		return;
	}
	if (!mm_passes(verdict))
		exit(3);
	/* An error that nobody is to be told of. */
	if (!out_len) {
		puts("quiet");
		return;
	}
	printf("%c ", outgoing ? '6' : '4');
	for (i = 0; i < out_len; i++)
		printf("%02x", out[i]);
	puts("");
}
