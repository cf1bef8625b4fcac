// SPDX-License-Identifier: GPL-2.0-only
#include "packet.h"

extern const char *const mm_counter_names[MM_COUNTERS];

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

static int packet_into_tunnel(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len,
			      u8 *out, unsigned int *out_len, struct mm_answer *answer)
{
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len };
	struct mm_encap e = {};
	unsigned int limit;
	int verdict = mm_encap4(rules, &packet, &e);

	free(head);
	*answer = (struct mm_answer){};
	if (verdict == MM_XLAT_MORE)
		return MM_DROP_HEADER;
	if (verdict)
		return verdict;
	limit = min(paths->limit6 - e.size, paths->mtu4);
	if (e.df && len > limit) {
		*answer = (struct mm_answer){ true, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, limit };
		return MM_DROP_TOO_BIG;
	}
	memcpy(out, e.header, e.size);
	memcpy(out + e.size, in, len);
	*out_len = e.size + len;
	return MM_XLAT_OK;
}

static int packet_out_of_tunnel(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len,
				u8 *out, unsigned int *out_len, struct mm_answer *answer)
{
	struct mm_env env = { rules, paths->mtu4, path_mtu6, (void *)paths };
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len, .cut = paths->cut };
	struct mm_decap d = {};
	int verdict = mm_decap6(rules, &packet, &d);

	if (verdict == MM_XLAT_MORE) {
		free(head);
		head = shown(in, len, len);
		packet.head = head;
		packet.head_len = len;
		verdict = mm_decap6(rules, &packet, &d);
	}
	*answer = d.answer;
	if (verdict == MM_XLAT_ERROR) {
		bool learn;

		answer->due = false;
		free(head);
		head = shown(in, len, len);
		verdict = mm_tunnel_error(&env, head, len, out, out_len, &learn);
	} else if (!verdict) {
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

static int packet_translated_out(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len, u8 *out,
	       unsigned int *out_len, struct mm_answer *answer)
{
	struct mm_env env = { rules, paths->mtu4, path_mtu6, (void *)paths };
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len };
	struct mm_xlat x = {};
	unsigned int limit;
	int verdict = mm_xlat4(rules, &packet, &x);

	free(head);
	*answer = x.answer;
	if (verdict == MM_XLAT_ERROR) {
		answer->due = false;
		head = shown(in, len, len);
		verdict = mm_error4(&env, head, len, out, out_len);
		free(head);
		return verdict;
	}
	if (verdict == MM_XLAT_MORE)
		return MM_DROP_HEADER;
	if (verdict)
		return verdict;
	limit = min(paths->limit6 - (x.size - x.strip), paths->mtu4);
	if (x.df && len > limit) {
		limit = min(paths->limit6 + sizeof(struct iphdr) - x.size, paths->mtu4);
		*answer = (struct mm_answer){ true, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, limit };
		return MM_DROP_TOO_BIG;
	}
	if (x.sum) {
		const struct ipv6hdr *ip6h = (const struct ipv6hdr *)x.header;

		x.check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, x.sum, IPPROTO_UDP,
					  csum_partial(in + x.strip, x.sum, 0));
		if (!x.check)
			x.check = CSUM_MANGLED_0;
	}
	apply(&x, in, len, out, out_len);
	return MM_XLAT_OK;
}

static int packet_translated_in(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len, u8 *out,
	      unsigned int *out_len, struct mm_answer *answer)
{
	struct mm_env env = { rules, paths->mtu4, path_mtu6, (void *)paths };
	u8 *head = shown(in, len, MM_HEAD);
	struct mm_packet packet = { .head = head, .head_len = min(len, MM_HEAD), .len = len, .cut = paths->cut };
	struct mm_xlat x = {};
	int verdict = mm_xlat6(rules, &packet, &x);

	if (verdict == MM_XLAT_MORE) {
		free(head);
		head = shown(in, len, len);
		packet.head = head;
		packet.head_len = len;
		verdict = mm_xlat6(rules, &packet, &x);
	}
	*answer = x.answer;
	if (verdict == MM_XLAT_ERROR) {
		struct iphdr *iph = (struct iphdr *)out;

		answer->due = false;
		free(head);
		head = shown(in, len, len);
		verdict = mm_error6(&env, head, len, out, out_len);
		if (!verdict) {
			iph->id = htons(PACKET_ID);
			iph->check = 0;
			iph->check = ip_fast_csum(iph, 5);
		}
	} else if (!verdict) {
		if (x.id_due)
			mm_set_id(&x, htons(PACKET_ID));
		apply(&x, in, len, out, out_len);
	}
	free(head);
	return verdict;
}

int packet_out(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len, u8 *out,
	       unsigned int *out_len, struct mm_answer *answer)
{
	return (rules->tunnel.on ? packet_into_tunnel : packet_translated_out)(rules, paths, in, len, out, out_len, answer);
}

int packet_in(const struct mm_rules *rules, const struct packet_paths *paths, const u8 *in, unsigned int len, u8 *out,
	      unsigned int *out_len, struct mm_answer *answer)
{
	return (rules->tunnel.on ? packet_out_of_tunnel : packet_translated_in)(rules, paths, in, len, out, out_len, answer);
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
	struct mm_answer answer = {};
	unsigned int i, out_len = 0, len = from_hex(strsep(&words, " "), in);
	char *word;
	int verdict;

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
	verdict = (outgoing ? packet_out : packet_in)(rules, &paths, in, len, out, &out_len, &answer);
	if (verdict == MM_XLAT_PASS) {
		puts("pass");
		return;
	}
	if (verdict) {
		printf("drop %s", mm_counter_names[verdict]);
		if (answer.due)
			printf(" icmp %u %u %u", answer.type, answer.code, answer.rest);
		puts("");
		return;
	}
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
