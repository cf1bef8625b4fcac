#!/bin/sh
# First program in the lab kernel, or the only one in namespaces of this machine: runs the NAT tests and ends.
# Arguments come from the kernel command line as `nat_dir=` (this directory) and `nat_cases=` (rulesets as JSON).
set -u
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for word in $(cat /proc/cmdline); do
	case $word in
	nat_dir=*) dir=${word#nat_dir=} ;;
	nat_cases=*) cases=${word#nat_cases=} ;;
	esac
done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
mkdir -p /run/netns
/usr/bin/python3 "$dir/nat_test.py" "$cases"
echo "nat-guest-status $?"
busybox poweroff -f
