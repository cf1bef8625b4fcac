#!/bin/sh
# The first program of every guest: mounts what programs need, runs one, prints `@@guest-exit CODE`, and ends the guest.
#
# The kernel passes on as environment what its command line says of these:
#
#   guest_run       the program and its arguments, joined by commas
#   guest_layer     1: a writable layer in memory lies over the machine's files, and the guest finds the project as
#                   /lab/project and the cache as /lab/cache, wherever they are on the machine, even below /tmp
#   guest_project, guest_cache     where the machine has them; needed with guest_layer
#
# The machine's own files are mounted read-only in every case.
set -eu

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8

finish() {
	echo "@@guest-exit $1"
	sync
	busybox poweroff -f
}
trap 'finish 99' EXIT

if [ -z "${guest_layer:-}" ]; then
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t tmpfs tmpfs /run
elif [ "${guest_stage:-}" != layered ]; then
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
	mkdir -p $root/lab/project $root/lab/cache $root/dev/pts $root/dev/net
	mount --bind "${guest_project:?}" $root/lab/project
	mount --bind "${guest_cache:?}" $root/lab/cache
	mount -t devpts devpts $root/dev/pts
	export guest_stage=layered
	trap - EXIT
	exec chroot $root /bin/sh /lab/project/test/guest/init.sh
else
	# The machine may have /var/run as a directory of its own; the router's paths are below it.
	[ "$(readlink -f /var/run)" = /run ] || mount --bind /run /var/run
	ip link set lo up
	echo "mapmin-lab" >/proc/sys/kernel/hostname
	ulimit -n 65536
fi
mkdir -p /run/netns
# Each namespace has a limit of its own, which the suites set. Some kernels have one for all, which is to be seen here alone.
for limit in icmp_msgs_per_sec icmp_msgs_burst; do
	echo 100000 >"/proc/sys/net/ipv4/$limit"
done
export TMPDIR=/run PYTHONDONTWRITEBYTECODE=1

rc=0
# shellcheck disable=SC2046,SC2091
PYTHONPATH=$(dirname "$0"):$(dirname "$0")/../support $(echo "${guest_run:?}" | tr , " ") || rc=$?
trap - EXIT
finish "$rc"
