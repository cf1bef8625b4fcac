// SPDX-License-Identifier: GPL-2.0-only
/*
 * Questions about port sets and who owns which port:
 *
 *   portset A K PSID                how many ports NAT may give out
 *   ports                           all of them, in the order of their indexes
 *   index PORT                      which one it is, or -1
 *   order HASH                      all of them, in the order of a search
 *   table INDEX...                  a table of owners for that set, with these reserved
 *   meet V4 PORT REMOTE PORT NOW    a flow: the port that its endpoint owns, or none
 *   end V4 PORT REMOTE PORT         the flow is over
 *   sweep NOW                       how many owners are taken back
 */
#include "user_space.h"
#include "core/endpoint.h"
#include "core/portset.h"
#include "packet.h"

#define MOST_FLOWS 100000

static struct {
	u32 inside, remote;
	u16 port, remote_port;
} flow[MOST_FLOWS];

static struct mm_portset set;
static struct mm_table table;
static int flows;

static bool alive(const struct mm_endpoint *ep, const struct mm_peer *peer, void *context)
{
	int i;

	(void)context;
	for (i = 0; i < flows; i++)
		if (flow[i].inside == ep->inside.v4 && flow[i].port == ep->inside.port &&
		    flow[i].remote == peer->v4 && flow[i].remote_port == peer->port)
			return true;
	return false;
}

static void make_table(char *rest)
{
	unsigned long *reserved = calloc(BITS_TO_LONGS(set.count), sizeof(long));
	char *word;

	if (!reserved)
		exit(3);
	while ((word = strsep(&rest, " ")))
		if (*word)
			__set_bit(atoi(word), reserved);
	mm_table_free(&table);
	flows = 0;
	puts(mm_table_init(&table, set.count, reserved) ? "error" : "ok");
	free(reserved);
}

static void meet(const struct mm_inside *inside, u32 remote, u16 port, unsigned long now)
{
	const struct mm_clock clock = { now, 2, 120, alive, NULL };
	u32 hash = inside->v4 * 2654435761u + inside->port * 40503u;
	struct mm_endpoint *ep = mm_endpoint_find(&table, inside, hash);

	if (!ep)
		ep = mm_endpoint_add(&table, inside, hash, mm_index_of(&set, inside->port), &clock);
	if (!ep) {
		puts("none");
		return;
	}
	mm_endpoint_meet(&table, ep, remote, port, now);
	if (!mm_endpoint_met(ep, remote) || flows == MOST_FLOWS)
		exit(3);
	flow[flows].inside = inside->v4;
	flow[flows].port = inside->port;
	flow[flows].remote = remote;
	flow[flows++].remote_port = port;
	printf("%u\n", mm_port_at(&set, ep->index));
}

static void end(const struct mm_inside *inside, u32 remote, u16 port)
{
	int i;

	for (i = 0; i < flows; i++)
		if (flow[i].inside == inside->v4 && flow[i].port == inside->port &&
		    flow[i].remote == remote && flow[i].remote_port == port) {
			flow[i] = flow[--flows];
			puts("ok");
			return;
		}
	puts("none");
}

bool answer_ports(const char *word, char *rest)
{
	unsigned int a = 0, b = 0, c = 0, d = 0, e = 0;
	struct mm_inside inside;
	u32 i;

	if (!strcmp(word, "table")) {
		make_table(rest);
		return true;
	}
	if (rest)
		sscanf(rest, "%u %u %u %u %u", &a, &b, &c, &d, &e);
	inside = (struct mm_inside){ .v4 = a, .port = b };
	if (!strcmp(word, "portset")) {
		if (mm_portset_init(&set, a, b, c))
			puts("ENOSPC");
		else
			printf("%u\n", set.count);
	} else if (!strcmp(word, "ports") || !strcmp(word, "order")) {
		for (i = 0; i < set.count; i++)
			printf("%u ", mm_port_at(&set, *word == 'p' ? i : mm_probe(&set, a, i)));
		puts("");
	} else if (!strcmp(word, "index")) {
		printf("%d\n", mm_index_of(&set, a));
	} else if (!strcmp(word, "meet")) {
		meet(&inside, c, d, e);
	} else if (!strcmp(word, "end")) {
		end(&inside, c, d);
	} else if (!strcmp(word, "sweep")) {
		const struct mm_clock clock = { a, 2, 120, alive, NULL };

		printf("%u\n", mm_table_sweep(&table, set.count, &clock));
	} else {
		return false;
	}
	return true;
}
