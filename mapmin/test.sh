#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What OpenWrt's packages CI runs once a package is installed. PKG_NAME and PKG_VERSION say which one.

# shellcheck shell=busybox

set -e

case "$PKG_NAME" in
mapminctl)
	mapminctl --version | grep -F "$PKG_VERSION"
	# RFC 7597's first example, computed by the engine.
	mapminctl calc --end-user-ipv6-prefix 2001:db8:12:3400::/56 --rule-ipv6-prefix 2001:db8::/40 \
		--rule-ipv4-prefix 192.0.2.0/24 --ea-length 16 | grep -F 192.0.2.18/32
	;;
map-mdpc)
	/lib/netifd/proto/map.sh '' dump | grep -F '"name":"map"'
	mdpc --help >/dev/null
	;;
kmod-mapmint | luci-app-mapmin) ;;
*)
	echo "Untested package: $PKG_NAME" >&2
	exit 1
	;;
esac
