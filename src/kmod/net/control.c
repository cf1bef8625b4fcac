// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of a network namespace: /proc/net/nat46/control, whose lines make the state that there
 * is; /proc/net/mapmint/counters and /proc/net/mapmint/ports.
 */
#include <linux/capability.h>
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "core/line.h"
#include "core/pair.h"
#include "nat/nat.h"
#include "net/control.h"
#include "net/namespace.h"
#include "net/stats.h"
#include "net/transaction.h"

/* The most octets that one write may have. */
#define MM_MAX_WRITE (2 << 20)
/* The longest line of a pair or of a NAT, in octets. */
#define MM_LINE_LEN (768 + 12 * MM_MAX_RESERVED)

static ssize_t mm_control_write(struct file *file, const char __user *from, size_t size,
				loff_t *position)
{
	struct net *net = pde_data(file_inode(file));
	char *text;
	int error;

	if (!file_ns_capable(file, net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	if (size > MM_MAX_WRITE) {
		pr_warn("mapmint: control: %zu octets by one write, %d are allowed\n", size,
			MM_MAX_WRITE);
		return -EMSGSIZE;
	}
	text = kvmalloc(size + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	error = copy_from_user(text, from, size) ? -EFAULT : mm_transaction(net, text, size);
	kvfree(text);
	return error ?: size;
}

static int mm_control_show(struct seq_file *seq, void *v)
{
	struct net *net = seq->private;
	struct mm_dev *mm;
	char *line;

	line = kmalloc(MM_LINE_LEN, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	rtnl_lock();
	list_for_each_entry(mm, &mm_pernet(net)->devices, list) {
		const struct mm_rules *rules = rtnl_dereference(mm->rules);
		const char *name = mm->dev->name;
		int i;

		seq_printf(seq, "add %s\n", name);
		if (rules && rules->debug)
			seq_printf(seq, "config %s debug %d\n", name, rules->debug);
		if (mm->lowest_mtu != IPV6_MIN_MTU)
			seq_printf(seq, "config %s lowest-ipv6-mtu %u\n", name, mm->lowest_mtu);
		if (rules && mm_print_tunnel(&rules->tunnel, line, MM_LINE_LEN))
			seq_printf(seq, "config %s%s\n", name, line);
		/* config fills the last pair; each insert goes ahead of what is there. */
		for (i = rules ? rules->count - 1 : -1; i >= 0; i--) {
			mm_print_pair(&rules->pair[i], line, MM_LINE_LEN);
			seq_printf(seq, "%s %s%s\n", i == rules->count - 1 ? "config" : "insert",
				   name, line);
		}
		/* Last: a NAT is refused while there is no address for it. */
		if (rules && mm_print_nat(&rules->nat, line, MM_LINE_LEN))
			seq_printf(seq, "config %s%s\n", name, line);
	}
	rtnl_unlock();
	kfree(line);
	return 0;
}

static int mm_counters_show(struct seq_file *seq, void *v)
{
	struct net *net = seq->private;
	struct mm_dev *mm;
	int i;

	rtnl_lock();
	list_for_each_entry(mm, &mm_pernet(net)->devices, list)
		for (i = 0; i < MM_COUNTERS; i++)
			seq_printf(seq, "%s %s %llu\n", mm->dev->name, mm_counter_names[i],
				   mm_stats_sum(mm, i));
	rtnl_unlock();
	return 0;
}

static int mm_ports_open(struct inode *inode, struct file *file)
{
	return single_open(file, mm_nat_show, pde_data(inode));
}

static int mm_control_open(struct inode *inode, struct file *file)
{
	return single_open(file, mm_control_show, pde_data(inode));
}

static int mm_counters_open(struct inode *inode, struct file *file)
{
	return single_open(file, mm_counters_show, pde_data(inode));
}

static const struct proc_ops mm_control_ops = {
	.proc_open = mm_control_open,
	.proc_read = seq_read,
	.proc_write = mm_control_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static const struct proc_ops mm_counters_ops = {
	.proc_open = mm_counters_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static const struct proc_ops mm_ports_ops = {
	.proc_open = mm_ports_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

int mm_control_init(struct net *net)
{
	if (!proc_mkdir("nat46", net->proc_net))
		return -EEXIST;
	if (!proc_create_data("nat46/control", 0600, net->proc_net, &mm_control_ops, net))
		goto err_nat46;
	if (!proc_mkdir("mapmint", net->proc_net))
		goto err_nat46;
	if (!proc_create_data("mapmint/counters", 0444, net->proc_net, &mm_counters_ops, net))
		goto err_mapmint;
	if (!proc_create_data("mapmint/ports", 0444, net->proc_net, &mm_ports_ops, net))
		goto err_mapmint;
	return 0;

err_mapmint:
	remove_proc_subtree("mapmint", net->proc_net);
err_nat46:
	remove_proc_subtree("nat46", net->proc_net);
	return -ENOMEM;
}

/* The namespace outlives its files: removal waits until nobody is inside. */
void mm_control_exit(struct net *net)
{
	remove_proc_subtree("mapmint", net->proc_net);
	remove_proc_subtree("nat46", net->proc_net);
}
