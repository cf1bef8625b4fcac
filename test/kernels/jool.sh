#!/bin/sh
# Builds Jool's kernel modules for the lab kernel, once, in the cache; prints their paths in the order of insertion, joined
# by commas. Usage: jool.sh CACHE
#
# The source is that of Debian's package jool-dkms, in the version of the installed jool-tools. It is unpacked, not
# installed: dkms would build it for the machine's own kernel.
set -eu
export LC_ALL=C

cache=${1:?usage: jool.sh CACHE}
tree=$(readlink -f "$cache/linux-current")
version=$(dpkg-query -W -f='${Version}' jool-tools 2>/dev/null) || {
	echo "jool.sh: jool_siit is missing: install the Debian package jool-tools" >&2
	exit 1
}
build=$cache/jool
log=$cache/jool.log
key="$tree $version"

parts=$build/usr/src/jool-dkms/src/mod

modules() {
	echo "$parts/md5/md5.ko,$parts/common/jool_common.ko,$parts/siit/jool_siit.ko"
}

if [ "$key" = "$(cat "$build/.built" 2>/dev/null)" ]; then
	modules
	exit 0
fi

rm -rf "$build"
mkdir -p "$build"
# Apart from any condition, where `set -e` would not hold.
set +e
(
	set -e
	cd "$build"
	# A machine that has just been installed may have no package lists yet.
	apt-get download "jool-dkms=$version" || { apt-get update && apt-get download "jool-dkms=$version"; }
	dpkg -x jool-dkms_*.deb .
	mv usr/src/jool-dkms-* usr/src/jool-dkms
	# Jool asks for MD5, which the lab kernel has no other use for.
	mkdir "$parts/md5"
	cp "$tree/crypto/md5.c" "$parts/md5/"
	echo 'obj-m := md5.o' >"$parts/md5/Makefile"
	for part in md5 common siit; do
		make -C "$tree" ARCH=um -j"$(nproc)" M="$parts/$part" modules
	done
) >"$log" 2>&1
status=$?
set -e
if [ "$status" -ne 0 ]; then
	cat "$log" >&2
	echo "jool.sh: Jool's modules could not be built" >&2
	exit 1
fi
echo "$key" >"$build/.built"
modules
