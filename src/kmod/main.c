// SPDX-License-Identifier: GPL-2.0-only
/* Module life: namespaces, the link kind, and the interface that the parameter asks for. */
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "nat/nat.h"
#include "net/address.h"
#include "net/control.h"
#include "net/device.h"
#include "net/hook.h"
#include "net/namespace.h"

static char *ipv4_address;
module_param(ipv4_address, charp, 0444);
MODULE_PARM_DESC(ipv4_address, "create the interface mapmint with this address, A.B.C.D/32");

unsigned int mm_net_id __read_mostly;

static int __net_init mm_net_init(struct net *net)
{
	INIT_LIST_HEAD(&mm_pernet(net)->devices);
	INIT_LIST_HEAD(&mm_pernet(net)->nats);
	return 0;
}

static void __net_exit mm_net_exit(struct net *net)
{
	mm_hooks_unregister(net);
}

static struct pernet_operations mm_net_ops = {
	.init = mm_net_init,
	.exit = mm_net_exit,
	.id = &mm_net_id,
	.size = sizeof(struct mm_net),
};

/* Apart from the above: the files come last, and go in every namespace before any device does. */
static struct pernet_operations mm_control_net_ops = {
	.init = mm_control_init,
	.exit = mm_control_exit,
};

/* The original's parameter: the interface "mapmint", up, with one address. */
static int mm_create_first(void)
{
	struct net_device *dev;
	int ifindex, error;
	const char *rest;
	__be32 address;
	u8 length = 32;

	if (!in4_pton(ipv4_address, -1, (u8 *)&address, '/', &rest) ||
	    (*rest && (*rest != '/' || kstrtou8(rest + 1, 10, &length) || length > 32))) {
		pr_err("mapmint: ipv4_address: \"%s\" is not A.B.C.D/length\n", ipv4_address);
		return -EINVAL;
	}
	rtnl_lock();
	dev = mm_device_create(&init_net, "mapmint");
	error = PTR_ERR_OR_ZERO(dev);
	if (!error) {
		ifindex = dev->ifindex;
		error = dev_open(dev, NULL);
	}
	rtnl_unlock();
	return error ?: mm_add_address(&init_net, ifindex, address, length);
}

static int __init mm_init(void)
{
	struct path taken;
	int error;

	/*
	 * The control file of the forerunner's module has the same name: one of the two can be
	 * there.
	 */
	if (!kern_path("/proc/net/nat46/control", 0, &taken)) {
		path_put(&taken);
		pr_err("mapmint: another module (kmod-nat46) is loaded: remove it first\n");
		return -EEXIST;
	}
	error = register_pernet_subsys(&mm_net_ops);
	if (error)
		return error;
	error = mm_nat_init();
	if (error)
		goto err_pernet;
	error = mm_link_register();
	if (error)
		goto err_nat;
	error = register_pernet_subsys(&mm_control_net_ops);
	if (error)
		goto err_link;
	if (ipv4_address) {
		error = mm_create_first();
		if (error)
			goto err_control;
	}
	return 0;

err_control:
	unregister_pernet_subsys(&mm_control_net_ops);
err_link:
	mm_link_unregister();
err_nat:
	mm_nat_exit();
err_pernet:
	unregister_pernet_subsys(&mm_net_ops);
	return error;
}

static void __exit mm_exit(void)
{
	/* Who writes now would make a device, and hooks, that outlive the module's text. */
	unregister_pernet_subsys(&mm_control_net_ops);
	/* Takes every device of the kind with it, in every namespace. */
	mm_link_unregister();
	mm_nat_exit();
	unregister_pernet_subsys(&mm_net_ops);
	/* Rule sets are freed by RCU callbacks that live in this module's text. */
	rcu_barrier();
}

module_init(mm_init);
module_exit(mm_exit);
MODULE_DESCRIPTION("MAP-T customer edge translator (RFC 7599)");
MODULE_LICENSE("GPL");
MODULE_ALIAS_RTNL_LINK(MM_KIND);
