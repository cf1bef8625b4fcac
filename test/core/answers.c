// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's core, asked line by line. Questions on standard input, one answer a line on standard output:
 *
 *   reset                        forget all rules
 *   line TEXT                    a control line; rules are kept as the control file keeps them
 *   show                         the pairs, joined by " | "
 *   local4 V4 PORT|-            the IPv6 address of one of ours
 *   remote4 V4 PORT|- [OWN4]    of a remote one, as a packet from OWN4 has it
 *   local6 V6                    our IPv4 address
 *   remote6 V6 PORT|-            a remote one's IPv4 address
 *   set PORT                     whether the port is in the first pair's set
 *   icmp46|icmp64 TYPE CODE PTR  type code rest extensions
 *   what ports.c is asked about port sets and owners of ports
 *   mtu46 M QUOTED MTU6 MTU4, mtu64 M MTU6 MTU4
 *   x46 HEX, x64 HEX [limit6=N] [mtu4=N] [cut=1]
 *                                a packet that goes out, one that comes in: the translated one (4 HEX, 6 HEX), `pass`, or
 *                                `drop COUNTER`, followed by `icmp TYPE CODE REST` where it is answered
 */
#include "control.h"
#include "packet.h"
#include "core/icmp_map.h"

static struct mm_rules *rules;

static struct mm_port port_of(const char *word)
{
	if (!word || !strcmp(word, "-"))
		return (struct mm_port){ 0, false };
	return (struct mm_port){ strtoul(word, NULL, 10), true };
}

static const char *error_name(int error)
{
	return error == -ENOENT ? "ENOENT" : error == -EPERM ? "EPERM" : "EINVAL";
}

static void answer4(int error, __be32 v4)
{
	char text[INET_ADDRSTRLEN];

	puts(error ? error_name(error) : inet_ntop(AF_INET, &v4, text, sizeof(text)));
}

static void answer6(int error, const struct in6_addr *v6)
{
	char text[INET6_ADDRSTRLEN];

	puts(error ? error_name(error) : inet_ntop(AF_INET6, v6, text, sizeof(text)));
}

static void take_line(const char *text)
{
	struct mm_line line;
	const char *why;

	if (mm_parse_line(text, strlen(text), &line)) {
		printf("error %.*s: %s\n", line.word_len, line.word, line.why);
		return;
	}
	why = apply_line(rules, &line);
	if (why)
		printf("misfit %s\n", why);
	else
		puts("ok");
}

int main(void)
{
	static char line[70000];

	setvbuf(stdout, NULL, _IOLBF, 0);
	rules = new_rules();
	while (fgets(line, sizeof(line), stdin)) {
		char *word, *rest, *arg[4] = {};
		struct mm_icmp_map map;
		const struct mm_edge *edge;
		struct in6_addr v6 = {};
		__be32 v4 = 0;
		int i, error, domain;

		line[strcspn(line, "\n")] = 0;
		rest = line;
		word = strsep(&rest, " ");
		if (!strcmp(word, "line")) {
			take_line(rest ? rest : "");
			continue;
		}
		if (!strcmp(word, "x46") || !strcmp(word, "x64")) {
			answer_packet(rules, word[1] == '4', rest);
			continue;
		}
		if (answer_ports(word, rest))
			continue;
		for (i = 0; i < 4 && rest; i++)
			arg[i] = strsep(&rest, " ");
		if (!strcmp(word, "reset")) {
			forget_rules(rules);
			puts("ok");
		} else if (!strcmp(word, "show")) {
			char text[1024];

			if (mm_print_tunnel(&rules->tunnel, text, sizeof(text)))
				printf("%s |", text);
			for (i = 0; i < rules->count; i++) {
				mm_print_pair(&rules->pair[i], text, sizeof(text));
				printf("%s%s", i ? " |" : "", text);
			}
			puts("");
		} else if (!strcmp(word, "local4") || !strcmp(word, "remote4")) {
			inet_pton(AF_INET, arg[0], &v4);
			/* A remote one is looked up for the domain of our address in the third word. */
			domain = MM_ANY_DOMAIN;
			if (*word == 'l') {
				error = mm_local_to_v6(rules, v4, port_of(arg[1]), &v6, &edge, &domain);
			} else {
				if (arg[2]) {
					__be32 own;

					inet_pton(AF_INET, arg[2], &own);
					mm_local_to_v6(rules, own, port_of("-"), &v6, &edge, &domain);
				}
				error = mm_remote_to_v6(rules, v4, port_of(arg[1]), domain, &v6);
			}
			answer6(error, &v6);
		} else if (!strcmp(word, "local6")) {
			inet_pton(AF_INET6, arg[0], &v6);
			error = mm_local_to_v4(rules, &v6, &v4, &edge, &domain);
			answer4(error, v4);
		} else if (!strcmp(word, "remote6")) {
			inet_pton(AF_INET6, arg[0], &v6);
			error = mm_remote_to_v4(rules, &v6, port_of(arg[1]), MM_ANY_DOMAIN, &v4);
			answer4(error, v4);
		} else if (!strcmp(word, "set")) {
			puts(mm_in_set(&rules->pair[0].edge, port_of(arg[0])) ? "yes" : "no");
		} else if (!strcmp(word, "icmp46") || !strcmp(word, "icmp64")) {
			bool ok = word[4] == '4' ?
				mm_icmp_map_4to6(atoi(arg[0]), atoi(arg[1]), atoi(arg[2]), &map) :
				mm_icmp_map_6to4(atoi(arg[0]), atoi(arg[1]), strtoul(arg[2], NULL, 10), &map);

			if (ok)
				printf("%u %u %u %u\n", map.type, map.code, map.rest, map.extensions);
			else
				puts("none");
		} else if (!strcmp(word, "mtu46")) {
			printf("%u\n", mm_mtu_4to6(strtoul(arg[0], NULL, 10), atoi(arg[1]),
						   strtoul(arg[2], NULL, 10), strtoul(arg[3], NULL, 10)));
		} else if (!strcmp(word, "mtu64")) {
			printf("%u\n", mm_mtu_6to4(strtoul(arg[0], NULL, 10), strtoul(arg[1], NULL, 10),
						   strtoul(arg[2], NULL, 10)));
		} else {
			return 2;
		}
	}
	return 0;
}
