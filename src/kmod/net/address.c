// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives an interface an IPv4 address, as `ip address add` does: the kernel has no other way for a
 * module.
 */
#include <linux/inetdevice.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "net/address.h"

struct mm_address_request {
	struct nlmsghdr head;
	struct ifaddrmsg ifa;
	struct nlattr attr;
	__be32 address;
};

int mm_add_address(struct net *net, int ifindex, __be32 address, u8 length)
{
	struct mm_address_request request = {
		.head = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_NEWADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
		},
		.ifa = {
			.ifa_family = AF_INET,
			.ifa_prefixlen = length,
			.ifa_index = ifindex,
		},
		.attr = {
			.nla_len = sizeof(request.attr) + sizeof(address),
			.nla_type = IFA_LOCAL,
		},
		.address = address,
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = {};
	struct kvec to = { .iov_base = &request, .iov_len = sizeof(request) };
	struct kvec from = { .iov_base = &answer, .iov_len = sizeof(answer) };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	/*
	 * Named, or the capability is looked for in the socket's file: a kernel socket has none.
	 */
	struct msghdr message = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	struct socket *sock;
	int error;

	error = sock_create_kern(net, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &sock);
	if (error)
		return error;
	error = kernel_sendmsg(sock, &message, &to, 1, sizeof(request));
	message = (struct msghdr){};
	if (error >= 0)
		error = kernel_recvmsg(sock, &message, &from, 1, sizeof(answer), MSG_DONTWAIT);
	if (error >= 0)
		error = answer.head.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
	sock_release(sock);
	return error;
}
