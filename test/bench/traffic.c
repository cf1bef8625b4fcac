// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic for the benchmarks: little of its own cost, and timed from inside.
 *
 *   traffic serve PORT                                 answers the TCP runs below, until it is ended
 *   traffic tcp SOURCE TARGET PORT up|down OCTETS MSS  seconds that OCTETS took, the last of them received
 *   traffic udp SOURCE TARGET PORT COUNT SIZE BURST    seconds that COUNT datagrams took to be sent, in super-packets of
 *                                                      BURST, and CALL of these by one call
 *   traffic flows SOURCE TARGET PORT COUNT             seconds that COUNT new flows took, a datagram from a port each
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256 << 10)
/* A call costs as much as the way of many datagrams, where the kernel is a process. */
#define CALL 64

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

struct request {
	uint64_t octets;
	uint32_t mss;
	char way;
} __attribute__((packed));

static char buffer[CHUNK];

static void fail(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void put(int fd, uint64_t octets)
{
	while (octets) {
		ssize_t n = send(fd, buffer, octets < CHUNK ? octets : CHUNK, MSG_NOSIGNAL);

		if (n <= 0)
			fail("send");
		octets -= n;
	}
}

static void get(int fd, void *to, uint64_t octets)
{
	while (octets) {
		ssize_t n = recv(fd, to ? to : buffer, octets < CHUNK ? octets : CHUNK, 0);

		if (n <= 0)
			fail("recv");
		octets -= n;
		if (to)
			to = (char *)to + n;
	}
}

static void serve(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int listener = socket(AF_INET6, SOCK_STREAM, 0), on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 16))
		fail("listen");
	for (;;) {
		struct request request;
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept");
		get(fd, &request, sizeof(request));
		if (request.way == 'u') {
			get(fd, NULL, request.octets);
			put(fd, 1);
		} else {
			put(fd, request.octets);
		}
		close(fd);
	}
}

/* A socket from one numeric address to another, connected unless it is to be later. */
static int reach(int type, const char *source, const char *target, const char *port, int mss)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = type }, *from, *to;
	int fd;

	if (getaddrinfo(source, NULL, &hints, &from) || getaddrinfo(target, port, &hints, &to))
		fail("address");
	fd = socket(to->ai_family, type, 0);
	if (fd < 0 || bind(fd, from->ai_addr, from->ai_addrlen))
		fail("bind");
	if (mss && setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss)))
		fail("TCP_MAXSEG");
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		fail("connect");
	freeaddrinfo(from);
	freeaddrinfo(to);
	return fd;
}

static void tcp(char **arg)
{
	struct request request = { strtoull(arg[4], NULL, 10), atoi(arg[5]), arg[3][0] };
	int fd = reach(SOCK_STREAM, arg[0], arg[1], arg[2], request.mss);
	double start = now();

	put(fd, 0);
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
		fail("send");
	if (request.way == 'u') {
		put(fd, request.octets);
		get(fd, NULL, 1);
	} else {
		get(fd, NULL, request.octets);
	}
	printf("%.6f\n", now() - start);
}

static void udp(char **arg)
{
	int fd = reach(SOCK_DGRAM, arg[0], arg[1], arg[2], 0);
	long count = atol(arg[3]), size = atol(arg[4]), burst = atol(arg[5]);
	struct iovec super = { .iov_base = buffer, .iov_len = size * burst };
	struct mmsghdr call[CALL] = {};
	int segment = size, i, sent;
	double start;
	long left;

	if (burst > 1 && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)))
		fail("UDP_SEGMENT");
	for (i = 0; i < CALL; i++) {
		call[i].msg_hdr.msg_iov = &super;
		call[i].msg_hdr.msg_iovlen = 1;
	}
	start = now();
	for (left = count / burst; left > 0; left -= sent) {
		sent = sendmmsg(fd, call, left < CALL ? left : CALL, 0);
		if (sent < 0 && errno != ECONNREFUSED)
			fail("sendmmsg");
		if (sent < 0)
			sent = 1;
	}
	printf("%.6f\n", now() - start);
}

static void flows(char **arg)
{
	long count = atol(arg[3]), i;
	int *fd = calloc(count, sizeof(*fd));
	double start;

	if (!fd)
		fail("memory");
	for (i = 0; i < count; i++)
		fd[i] = reach(SOCK_DGRAM, arg[0], arg[1], arg[2], 0);
	start = now();
	for (i = 0; i < count; i++)
		if (send(fd[i], buffer, 18, 0) < 0)
			fail("send");
	printf("%.6f\n", now() - start);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	else if (argc == 8 && !strcmp(argv[1], "tcp"))
		tcp(argv + 2);
	else if (argc == 8 && !strcmp(argv[1], "udp"))
		udp(argv + 2);
	else if (argc == 6 && !strcmp(argv[1], "flows"))
		flows(argv + 2);
	else
		return 2;
	return 0;
}
