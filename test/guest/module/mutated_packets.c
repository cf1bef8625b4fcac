// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends mutated packets through a packet socket: fuzz DEVICE MAC FAMILY SEEDS COUNT SEED FIRST
 *
 * SEEDS is a file of good packets, each behind its length (16 bits, network order). Packet number n depends on SEED, n and
 * the seeds alone, so that FIRST repeats what began there. Prints how many were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEEDS = 256, MOST = 1400, BATCH = 64 };

static struct {
	uint8_t octet[MOST];
	size_t len;
} seeds[SEEDS];
static unsigned int seed_count;
static bool six;
static uint64_t state;

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int below(unsigned int limit)
{
	return next_random() % limit;
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static unsigned int get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t sum(const uint8_t *at, size_t len, uint32_t total)
{
	for (; len > 1; at += 2, len -= 2)
		total += get16(at);
	return len ? total + (*at << 8) : total;
}

static unsigned int fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total & 0xffff;
}

static size_t insert(uint8_t *p, size_t len, size_t at, size_t size)
{
	if (at > len || len + size > MOST)
		return len;
	memmove(p + at + size, p + at, len - at);
	for (size_t i = 0; i < size; i++)
		p[at + i] = next_random();
	return len + size;
}

/* An extension header ahead of what there is; now and then a fragment's. */
static size_t add_header6(uint8_t *p, size_t len)
{
	static const uint8_t kinds[] = { 0, 43, 44, 60, 51, 135, 59, 50 };
	unsigned int kind = kinds[below(sizeof(kinds))], units = kind == 44 ? 1 : 1 + below(4);
	size_t grown = insert(p, len, 40, units * 8);

	if (grown == len)
		return len;
	p[40] = p[6];
	p[41] = below(8) ? (kind == 51 ? units * 2 - 2 : units - 1) : below(256);
	if (kind == 44)
		put16(p + 42, below(3) ? below(2) : next_random());
	else if (kind == 43)
		p[43] = below(3);
	p[6] = kind;
	return grown;
}

static size_t add_options4(uint8_t *p, size_t len)
{
	static const uint8_t kinds[] = { 0, 1, 7, 68, 131, 137, 148, 130 };
	unsigned int words = 1 + below(10);
	size_t grown = (p[0] & 15) + words > 15 ? len : insert(p, len, 20, words * 4);

	if (grown == len)
		return len;
	p[0] += words;
	p[20] = kinds[below(sizeof(kinds))];
	p[21] = below(4) ? words * 4 : below(48);
	p[22] = below(3) ? 4 : below(256);
	return grown;
}

/* Fields that a translator decides by. */
static void set_field(uint8_t *p, size_t len)
{
	static const uint8_t protocols[] = { 1, 6, 17, 58, 44, 0, 43, 60, 50, 51, 132, 4, 41, 33, 136 };
	size_t header = six ? 40 : (p[0] & 15) * 4;

	switch (below(9)) {
	case 0:
		p[six ? 6 : 9] = protocols[below(sizeof(protocols))];
		break;
	case 1:
		p[six ? 7 : 8] = below(4);
		break;
	case 2:
		if (!six)
			put16(p + 6, below(2) ? 0x2000 | below(4) : next_random());
		break;
	case 3:
		put16(p + (six ? 4 : 2), below(2) ? len + below(32) - 16 : next_random());
		break;
	case 4:
		p[0] = six ? 0x60 | below(16) : 0x40 | below(16);
		break;
	case 5:
		if (header + 2 < len)
			p[header] = below(256);
		break;
	case 6:
		if (header + 2 < len)
			p[header + 1] = below(20);
		break;
	case 7: /* a pointer, an MTU, the length of RFC 4884 */
		if (header + 8 < len)
			p[header + 4 + below(4)] = next_random();
		break;
	case 8: /* the packet that an error quotes */
		if (header + 8 + 40 < len)
			p[header + 8 + below(40)] = next_random();
		break;
	}
}

static size_t mutate(uint8_t *p, size_t len)
{
	const unsigned int other = below(seed_count);
	size_t at;

	switch (below(8)) {
	case 0:
		p[below(len < 128 ? len : 128)] ^= 1 << below(8);
		break;
	case 1:
		p[below(len)] = next_random();
		break;
	case 2:
		return 1 + below(len);
	case 3:
		return insert(p, len, below(len + 1), 1 + below(200));
	case 4:
		return len < 40 ? len : six ? add_header6(p, len) : add_options4(p, len);
	case 5: /* the tail of another */
		at = below(len < seeds[other].len ? len : seeds[other].len);
		memcpy(p + at, seeds[other].octet + at, seeds[other].len - at);
		return seeds[other].len;
	default:
		if (len >= 40)
			set_field(p, len);
	}
	return len;
}

/* The checksum of what the packet says that it carries. */
static void mend_payload(uint8_t *p, size_t len, size_t header, unsigned int protocol)
{
	const size_t at = protocol == 6 ? 16 : protocol == 17 ? 6 : 2, size = len - header;
	uint32_t total = 0;

	if (protocol != 6 && protocol != 17 && protocol != (six ? 58 : 1))
		return;
	if (header + at + 2 > len)
		return;
	if (protocol == 17 && below(2))
		put16(p + header + 4, size);
	if (protocol != 1)
		total = sum(p + (six ? 8 : 12), six ? 32 : 8, protocol + size);
	put16(p + header + at, 0);
	put16(p + header + at, fold(sum(p + header, size, total)));
}

/* What would be thrown away before the translator sees it is mended more often than not. */
static void mend(uint8_t *p, size_t len, const uint8_t *seed)
{
	size_t header = six ? 40 : (p[0] & 15) * 4;

	if (len < 40)
		return;
	if (below(16)) {
		p[0] = six ? 0x60 | (p[0] & 15) : 0x40 | (p[0] & 15);
		memcpy(p + (six ? 24 : 16), seed + (six ? 24 : 16), six ? 16 : 4);
	}
	if (below(4))
		memcpy(p + (six ? 8 : 12), seed + (six ? 8 : 12), six ? 16 : 4);
	if (below(8))
		put16(p + (six ? 4 : 2), six ? len - 40 : len);
	if (header < len && below(4))
		mend_payload(p, len, header, p[six ? 6 : 9]);
	if (!six && header >= 20 && header <= len && below(16)) {
		put16(p + 10, 0);
		put16(p + 10, fold(sum(p, header, 0)));
	}
}

static size_t make(uint8_t *p, uint64_t seed, uint64_t number)
{
	unsigned int rounds;
	const uint8_t *origin;
	size_t len;

	state = seed * 0x2545f4914f6cdd1d + number;
	next_random();
	len = below(seed_count);
	origin = seeds[len].octet;
	len = seeds[len].len;
	memcpy(p, origin, len);
	for (rounds = below(5); rounds; rounds--)
		len = mutate(p, len);
	mend(p, len, origin);
	return len;
}

static void read_seeds(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t head[2];

	while (file && seed_count < SEEDS && fread(head, 1, 2, file) == 2) {
		seeds[seed_count].len = get16(head);
		if (seeds[seed_count].len > MOST || fread(seeds[seed_count].octet, seeds[seed_count].len, 1, file) != 1)
			exit(3);
		seed_count++;
	}
	if (!seed_count)
		exit(3);
}

static void send_all(int sock, struct mmsghdr *messages, unsigned int count)
{
	unsigned int done = 0;

	while (done < count) {
		int sent = sendmmsg(sock, messages + done, count - done, 0);

		if (sent > 0) {
			done += sent;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			usleep(500);
		} else {
			fprintf(stderr, "fuzz: %s: %zu octets\n", strerror(errno), messages[done].msg_hdr.msg_iov->iov_len);
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	static uint8_t packets[BATCH][MOST];
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
	struct mmsghdr messages[BATCH] = {};
	struct iovec parts[BATCH];
	uint64_t count, seed, first, i;
	unsigned int filled = 0;
	int sock;

	if (argc != 8 || sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to.sll_addr, to.sll_addr + 1, to.sll_addr + 2,
				to.sll_addr + 3, to.sll_addr + 4, to.sll_addr + 5) != 6)
		return 2;
	six = argv[3][0] == '6';
	read_seeds(argv[4]);
	count = strtoull(argv[5], NULL, 10);
	seed = strtoull(argv[6], NULL, 10);
	first = strtoull(argv[7], NULL, 10);
	to.sll_ifindex = if_nametoindex(argv[1]);
	to.sll_protocol = htons(six ? 0x86dd : 0x0800);
	sock = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (sock < 0 || !to.sll_ifindex)
		return 3;
	for (i = first; i < count; i++) {
		parts[filled] = (struct iovec){ packets[filled], make(packets[filled], seed, i) };
		messages[filled].msg_hdr = (struct msghdr){ .msg_name = &to, .msg_namelen = sizeof(to),
							    .msg_iov = &parts[filled], .msg_iovlen = 1 };
		if (++filled == BATCH || i + 1 == count) {
			send_all(sock, messages, filled);
			filled = 0;
		}
	}
	printf("%llu\n", (unsigned long long)(count - (first < count ? first : count)));
	return 0;
}
