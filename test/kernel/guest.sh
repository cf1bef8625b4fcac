#!/bin/sh
# First program of the guest: runs the module's tests and ends the guest. The kernel's command line gives `kernel_dir=`
# (this directory) and `kernel_module=` (the module).
set -u
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for word in $(cat /proc/cmdline); do
	case $word in
	kernel_dir=*) dir=${word#kernel_dir=} ;;
	kernel_module=*) module=${word#kernel_module=} ;;
	esac
done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
mkdir -p /run/netns
PYTHONPATH="${dir:?}/../nat" /usr/bin/python3 "$dir/kernel_test.py" "${module:?}"
echo "kernel-guest-status $?"
busybox poweroff -f
