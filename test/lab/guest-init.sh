#!/bin/sh
# First process of a lab guest: lays a writable layer over the machine's own files, which stay read-only, runs the
# guest program $lab_program by Node, prints its exit code in a marker line and ends the guest.
#
# Words of the kernel's command line reach it as its environment: lab_program, lab_args, lab_project, lab_cache, lab_node.
set -eu

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8

finish() {
	echo "@@lab-exit $1"
	sync
	busybox poweroff -f
}
trap 'finish 99' EXIT

if [ "${lab_stage:-}" != inside ]; then
	# hostfs below, never written; everything the guest writes goes to memory.
	mount -t tmpfs -o size=768m tmpfs /mnt
	mkdir -p /mnt/upper /mnt/work /mnt/root
	mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
	root=/mnt/root
	mount -t proc proc $root/proc
	mount -t sysfs sysfs $root/sys
	mount -t devtmpfs devtmpfs $root/dev
	for dir in tmp run var/lib/dhcpcd var/lib/kea; do
		mkdir -p "$root/$dir"
		mount -t tmpfs tmpfs "$root/$dir"
	done
	# Wherever they are on the machine, even below /tmp, the guest finds them here.
	mkdir -p $root/lab/project $root/lab/cache $root/dev/pts $root/dev/net
	mount --bind "${lab_project:?}" $root/lab/project
	mount --bind "${lab_cache:?}" $root/lab/cache
	mount -t devpts devpts $root/dev/pts
	export lab_stage=inside
	trap - EXIT
	exec chroot $root /bin/sh /lab/project/test/lab/guest-init.sh
fi

# The machine may have /var/run as a directory of its own; the router's paths are below it.
[ "$(readlink -f /var/run)" = /run ] || mount --bind /run /var/run
ip link set lo up
echo "mapmin-lab" >/proc/sys/kernel/hostname
ulimit -n 65536

rc=0
# shellcheck disable=SC2086
"${lab_node:?}" "/lab/cache/${lab_program:?}" ${lab_args:-} </dev/null || rc=$?
trap - EXIT
finish "$rc"
