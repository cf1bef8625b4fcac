#!/bin/sh
# First program of the guest: runs a Python program and ends the guest. The kernel's command line gives `kernel_dir=` (this
# directory), `kernel_program=` (the program in it), and `kernel_args=` (its arguments, joined by commas).
set -u
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for word in $(cat /proc/cmdline); do
	case $word in
	kernel_dir=*) dir=${word#kernel_dir=} ;;
	kernel_program=*) program=${word#kernel_program=} ;;
	kernel_args=*) args=${word#kernel_args=} ;;
	esac
done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 TMPDIR=/run
mkdir -p /run/netns
# shellcheck disable=SC2086
PYTHONPATH="${dir:?}/../nat" /usr/bin/python3 "$dir/${program:?}" $(echo "${args:?}" | tr , " ")
echo "kernel-guest-status $?"
busybox poweroff -f
