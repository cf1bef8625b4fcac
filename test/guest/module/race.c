// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic for race_test.py, until SIGTERM.
 *
 *   race flood DEVICE PROTOCOL MAC|-       sends the packets of standard input (a line of hex each) in turn; prints how many
 *   race watch DEVICE PROTOCOL AT1 AT2     counts packets by two fields. Standard input: NAME HEX1 HEX2, the octets at AT1 and
 *                                          at AT2. Prints `NAME COUNT` for packets that agree in both, `torn COUNT HEX` for such
 *                                          as have one row's first field and another's second
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define ROWS 8
#define MOST 2048

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static int octets(const char *hex, unsigned char *to)
{
	int n = 0;
	unsigned int octet;

	while (n < MOST && sscanf(hex + 2 * n, "%2x", &octet) == 1)
		to[n++] = octet;
	return n;
}

static int open_device(const char *device, const char *protocol, struct sockaddr_ll *at, int kind)
{
	int fd = socket(AF_PACKET, kind, 0);

	*at = (struct sockaddr_ll){ .sll_family = AF_PACKET };
	at->sll_protocol = htons(strtoul(protocol, NULL, 16));
	at->sll_ifindex = if_nametoindex(device);
	if (fd < 0 || !at->sll_ifindex) {
		perror(device);
		exit(2);
	}
	return fd;
}

static int flood(const char *device, const char *protocol, const char *mac)
{
	static unsigned char packet[64][MOST];
	static char line[2 * MOST + 2];
	struct mmsghdr batch[BATCH];
	struct iovec part[BATCH];
	struct sockaddr_ll at;
	long long sent = 0, refused = 0;
	int fd = open_device(device, protocol, &at, SOCK_DGRAM), packets = 0, length[64], i, n, next = 0;

	if (*mac != '-') {
		unsigned int m[6];

		if (sscanf(mac, "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6)
			return 2;
		at.sll_halen = 6;
		for (i = 0; i < 6; i++)
			at.sll_addr[i] = m[i];
	}
	while (packets < 64 && fgets(line, sizeof(line), stdin))
		if ((length[packets] = octets(line, packet[packets])))
			packets++;
	if (!packets)
		return 2;
	memset(batch, 0, sizeof(batch));
	for (i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &part[i];
		batch[i].msg_hdr.msg_iovlen = 1;
		batch[i].msg_hdr.msg_name = &at;
		batch[i].msg_hdr.msg_namelen = sizeof(at);
	}
	while (!stopped) {
		for (i = 0; i < BATCH; i++, next = (next + 1) % packets)
			part[i] = (struct iovec){ packet[next], length[next] };
		n = sendmmsg(fd, batch, BATCH, 0);
		/* The device may be down, or gone: then it has another number when it comes back. */
		if (n <= 0) {
			refused++;
			usleep(1000);
			if ((n = if_nametoindex(device)))
				at.sll_ifindex = n;
			continue;
		}
		sent += n;
	}
	printf("sent %lld refused %lld\n", sent, refused);
	return 0;
}

static int watch(const char *device, const char *protocol, int at1, int at2)
{
	static unsigned char one[ROWS][MOST], two[ROWS][MOST], packet[MOST];
	static char line[2 * MOST], name[ROWS][16], hex1[MOST], hex2[MOST];
	long long count[ROWS] = { 0 }, torn = 0;
	int fd, rows = 0, length1[ROWS], length2[ROWS], first, second, i, n, shown = 0;
	struct timeval wait = { 0, 100000 };
	struct tpacket_stats lost = { 0 };
	socklen_t size = sizeof(lost);
	struct sockaddr_ll at;

	while (rows < ROWS && fgets(line, sizeof(line), stdin))
		if (sscanf(line, "%15s %2047s %2047s", name[rows], hex1, hex2) == 3) {
			length1[rows] = octets(hex1, one[rows]);
			length2[rows] = octets(hex2, two[rows]);
			rows++;
		}
	fd = open_device(device, protocol, &at, SOCK_DGRAM);
	n = 64 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n, sizeof(n));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return 2;
	puts("watching");
	fflush(stdout);
	while (!stopped) {
		n = recv(fd, packet, sizeof(packet), 0);
		if (n <= 0)
			continue;
		/* The row that has both, or the first of each field. */
		first = second = rows;
		for (i = rows - 1; i >= 0; i--) {
			if (at1 + length1[i] <= n && !memcmp(packet + at1, one[i], length1[i]))
				first = i;
			if (at2 + length2[i] <= n && !memcmp(packet + at2, two[i], length2[i])) {
				second = i;
				if (at1 + length1[i] <= n && !memcmp(packet + at1, one[i], length1[i]))
					break;
			}
		}
		if (i >= 0) {
			count[i]++;
		} else if (first < rows && second < rows) {
			torn++;
			if (shown++ < 5) {
				printf("torn 1 ");
				for (i = 0; i < n && i < 80; i++)
					printf("%02x", packet[i]);
				puts("");
			}
		}
	}
	for (i = 0; i < rows; i++)
		printf("%s %lld\n", name[i], count[i]);
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &lost, &size);
	printf("all-torn %lld\nlost %u\n", torn, lost.tp_drops);
	return 0;
}

int main(int words, char **word)
{
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGTERM, &action, NULL);
	if (words == 5 && !strcmp(word[1], "flood"))
		return flood(word[2], word[3], word[4]);
	if (words == 6 && !strcmp(word[1], "watch"))
		return watch(word[2], word[3], atoi(word[4]), atoi(word[5]));
	return 2;
}
