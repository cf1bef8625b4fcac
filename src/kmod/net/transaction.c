// SPDX-License-Identifier: GPL-2.0-only
/*
 * One write to the control file is one transaction. It is carried out on a shadow of what there is.
 * Only when all of its lines were good, the shadow becomes real.
 */
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>

#include "compat.h"
#include "core/line.h"
#include "core/lookup.h"
#include "core/pair.h"
#include "nat/nat.h"
#include "net/device.h"
#include "net/transaction.h"

/* How many octets of a word the log quotes. */
#define MM_QUOTED 40

struct mm_shadow {
	struct list_head list;
	char name[IFNAMSIZ];
	/* NULL: to be created. */
	struct mm_dev *mm;
	/*
	 * The last pair comes first while lines are read. A line that goes ahead of all others is
	 * put at the end then, and moves nothing.
	 */
	struct mm_rules *rules;
	int room;
	/* 0: as it was. */
	u32 lowest_mtu;
	/* What the rules ask for, where that is another than there is. */
	struct mm_nat *nat;
	bool new_nat;
	bool changed;
	bool created;
	bool deleted;
};

static struct mm_shadow *mm_shadow_add(struct list_head *shadows, const char *name,
				       struct mm_dev *mm)
{
	struct mm_shadow *shadow = kzalloc_obj(*shadow, GFP_KERNEL);

	if (!shadow)
		return NULL;
	strscpy(shadow->name, name, sizeof(shadow->name));
	shadow->mm = mm;
	list_add_tail(&shadow->list, shadows);
	return shadow;
}

static void mm_shadow_free(struct list_head *shadows)
{
	struct mm_shadow *shadow, *next;

	list_for_each_entry_safe(shadow, next, shadows, list) {
		mm_nat_discard(shadow->nat);
		kvfree(shadow->rules);
		kfree(shadow);
	}
}

/* The shadow of a device; one that nobody has touched yet is made from the device itself. */
static struct mm_shadow *mm_shadow_find(struct net *net, struct list_head *shadows,
					const char *name)
{
	struct mm_shadow *shadow;
	struct mm_dev *mm;

	list_for_each_entry(shadow, shadows, list)
		if (!strcmp(shadow->name, name))
			return shadow->deleted ? NULL : shadow;
	mm = mm_device_find(net, name);
	return mm ? mm_shadow_add(shadows, name, mm) : NULL;
}

static void mm_turn_over(struct mm_rules *rules)
{
	int i;

	for (i = 0; i < rules->count / 2; i++)
		swap(rules->pair[i], rules->pair[rules->count - 1 - i]);
}

/* Makes room for @count pairs in rules that are the shadow's own. */
static int mm_shadow_reserve(struct mm_shadow *shadow, int count)
{
	const struct mm_rules *old = shadow->rules;
	struct mm_rules *rules;
	int room;

	if (count > MM_MAX_PAIRS)
		return -ENOSPC;
	if (!old && shadow->mm)
		old = rtnl_dereference(shadow->mm->rules);
	if (shadow->rules && shadow->room >= count)
		return 0;
	room = min(MM_MAX_PAIRS, max(2 * count, old ? old->count : 0));
	rules = kvzalloc(mm_rules_size(room), GFP_KERNEL);
	if (!rules)
		return -ENOMEM;
	mm_rules_init(rules, room);
	if (old) {
		rules->debug = old->debug;
		rules->nat = old->nat;
		rules->tunnel = old->tunnel;
		rules->count = old->count;
		memcpy(rules->pair, old->pair, old->count * sizeof(*old->pair));
		if (!shadow->rules)
			mm_turn_over(rules);
	}
	kvfree(shadow->rules);
	shadow->rules = rules;
	shadow->room = room;
	shadow->changed = true;
	return 0;
}

/* Two rules for one prefix cannot both hold; the default may be there once for each source. */
static bool mm_conflicts(const struct mm_rules *rules, const struct mm_pair *pair)
{
	int i;

	for (i = 0; i < rules->count; i++) {
		const struct mm_pair *other = &rules->pair[i];

		if (other == pair || !other->has_remote || !pair->has_remote ||
		    other->remote.v4 != pair->remote.v4 ||
		    other->remote.v4_len != pair->remote.v4_len)
			continue;
		if (other->has_local == pair->has_local && other->local.v4 == pair->local.v4 &&
		    other->local.v4_len == pair->local.v4_len)
			return true;
	}
	return false;
}

static int mm_change(struct mm_shadow *shadow, struct mm_line *line)
{
	struct mm_rules *rules;
	struct mm_pair *pair;
	int error, kept, count, i;
	bool more;

	rules = shadow->rules ?: shadow->mm ? rtnl_dereference(shadow->mm->rules) : NULL;
	count = rules ? rules->count : 0;
	/* Only these lines make a pair. */
	more = mm_sets_pair(line) && (line->verb == MM_VERB_INSERT || !count);
	error = mm_shadow_reserve(shadow, count + more);
	if (error) {
		line->word = shadow->name;
		line->word_len = strlen(shadow->name);
		line->why = error == -ENOSPC ? "has no room for more rules" : "got no memory";
		return error;
	}
	rules = shadow->rules;
	if (mm_sets_debug(line))
		rules->debug = line->debug;
	if (line->lowest_mtu)
		shadow->lowest_mtu = line->lowest_mtu;
	mm_merge_nat(&rules->nat, line);
	mm_merge_tunnel(&rules->tunnel, line);
	if (!mm_sets_pair(line))
		return 0;
	if (line->verb == MM_VERB_REMOVE) {
		for (i = 0, kept = 0; i < rules->count; i++)
			if (!mm_matches(&rules->pair[i], line))
				rules->pair[kept++] = rules->pair[i];
		if (kept == rules->count) {
			line->word = shadow->name;
			line->word_len = strlen(shadow->name);
			line->why = "has no such rule";
			return -ENOENT;
		}
		rules->count = kept;
		return 0;
	}
	if (line->verb == MM_VERB_INSERT || !rules->count)
		memset(&rules->pair[rules->count++], 0, sizeof(*pair));
	pair = line->verb == MM_VERB_INSERT ? &rules->pair[rules->count - 1] : rules->pair;
	mm_merge(pair, line);
	if (!mm_valid_pair(pair, &line->word)) {
		line->word_len = strlen(line->word);
		line->why = "does not fit the other values";
		return -EINVAL;
	}
	if (mm_conflicts(rules, pair)) {
		line->word = "remote.v4";
		line->word_len = strlen(line->word);
		line->why = "is there already";
		return -EEXIST;
	}
	return 0;
}

static int mm_apply_line(struct net *net, struct list_head *shadows, struct mm_line *line)
{
	struct mm_shadow *shadow;

	if (line->verb == MM_VERB_NONE)
		return 0;
	shadow = mm_shadow_find(net, shadows, line->device);
	line->word = line->device;
	line->word_len = strlen(line->device);
	if (line->verb == MM_VERB_ADD) {
		list_for_each_entry(shadow, shadows, list)
			if (!strcmp(shadow->name, line->device) && shadow->deleted) {
				line->why = "cannot be deleted and added by one write";
				return -EBUSY;
			}
		if (__dev_get_by_name(net, line->device) ||
		    mm_shadow_find(net, shadows, line->device)) {
			line->why = "is there already";
			return -EEXIST;
		}
		line->why = "got no memory";
		return mm_shadow_add(shadows, line->device, NULL) ? 0 : -ENOMEM;
	}
	if (!shadow) {
		line->why = "is no device of this kind";
		return -ENODEV;
	}
	if (line->verb == MM_VERB_DEL) {
		shadow->deleted = true;
		return 0;
	}
	return mm_change(shadow, line);
}

/* All that can fail comes first, and takes back what it did. */
static int mm_create_all(struct net *net, struct list_head *shadows)
{
	struct mm_shadow *shadow, *undo;
	struct net_device *dev;

	list_for_each_entry(shadow, shadows, list) {
		if (shadow->mm || shadow->deleted)
			continue;
		dev = mm_device_create(net, shadow->name);
		if (IS_ERR(dev)) {
			pr_warn("mapmint: control: \"%s\" cannot be created (%ld)\n",
				shadow->name, PTR_ERR(dev));
			list_for_each_entry(undo, shadows, list)
				if (undo->created)
					mm_device_delete(undo->mm);
			return PTR_ERR(dev);
		}
		shadow->mm = netdev_priv(dev);
		shadow->created = true;
	}
	return 0;
}

/* What must hold of a device's rules and NAT once all lines are read, and stand in their order. */
static int mm_check_all(struct list_head *shadows, struct mm_line *line)
{
	struct mm_shadow *shadow;

	list_for_each_entry(shadow, shadows, list) {
		if (shadow->rules)
			mm_turn_over(shadow->rules);
		if (shadow->deleted || !shadow->changed ||
		    (mm_valid_transport(shadow->rules, &line->word) &&
		     mm_nat_valid(shadow->rules, &line->word)))
			continue;
		line->word_len = strlen(line->word);
		line->why = "does not fit the other values";
		return -EINVAL;
	}
	return 0;
}

static void mm_undo_all(struct list_head *shadows)
{
	struct mm_shadow *shadow;

	list_for_each_entry(shadow, shadows, list) {
		mm_nat_discard(shadow->nat);
		shadow->nat = NULL;
		if (shadow->created)
			mm_device_delete(shadow->mm);
	}
}

static int mm_prepare_nats(struct list_head *shadows)
{
	struct mm_shadow *shadow;
	struct mm_nat *nat;

	list_for_each_entry(shadow, shadows, list) {
		if (!shadow->mm || shadow->deleted || !shadow->changed ||
		    mm_nat_same(shadow->mm, shadow->rules))
			continue;
		nat = mm_nat_create(shadow->mm, shadow->rules);
		if (IS_ERR(nat)) {
			pr_warn("mapmint: control: \"%s\" cannot have its NAT (%ld)\n",
				shadow->name, PTR_ERR(nat));
			return PTR_ERR(nat);
		}
		shadow->nat = nat;
		shadow->new_nat = true;
	}
	return 0;
}

static int mm_commit(struct net *net, struct list_head *shadows)
{
	struct mm_shadow *shadow;
	int error;

	error = mm_create_all(net, shadows);
	if (error)
		return error;
	error = mm_prepare_nats(shadows);
	if (error) {
		mm_undo_all(shadows);
		return error;
	}
	list_for_each_entry(shadow, shadows, list) {
		if (!shadow->mm)
			continue;
		if (shadow->deleted) {
			mm_device_delete(shadow->mm);
		} else if (shadow->changed) {
			mm_rules_index(shadow->rules);
			mm_device_set_rules(shadow->mm, shadow->rules);
			shadow->rules = NULL;
			if (shadow->lowest_mtu)
				WRITE_ONCE(shadow->mm->lowest_mtu, shadow->lowest_mtu);
			if (shadow->new_nat)
				mm_nat_replace(shadow->mm, shadow->nat);
			shadow->nat = NULL;
		}
	}
	return 0;
}

int mm_transaction(struct net *net, const char *text, size_t size)
{
	struct mm_line *line;
	LIST_HEAD(shadows);
	int number = 0;
	int error = 0;

	line = kmalloc_obj(*line, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	rtnl_lock();
	while (size && !error) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? end - text : size;

		number++;
		error = mm_parse_line(text, length, line);
		if (!error)
			error = mm_apply_line(net, &shadows, line);
		if (error)
			pr_warn("mapmint: control: line %d: \"%*pE\" %s (%d)\n", number,
				min(line->word_len, MM_QUOTED), line->word, line->why, error);
		text += end ? length + 1 : length;
		size -= end ? length + 1 : length;
	}
	if (!error) {
		error = mm_check_all(&shadows, line);
		if (error)
			pr_warn("mapmint: control: \"%s\" %s (%d)\n", line->word, line->why, error);
	}
	if (!error)
		error = mm_commit(net, &shadows);
	rtnl_unlock();
	mm_shadow_free(&shadows);
	kfree(line);
	return error;
}
