#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# netifd's protocol handler `map`: MAP-T, MAP-E and lw4o6 (RFC 7599, 7597, 7596).
#
# netifd runs every handler with `dump` once, one after another, while the router boots: that answer is static text, so
# that no engine starts. All else is the bundle's, which takes this process's place and so gets netifd's signals itself.
set -eu

# One line: netifd reads line by line. Types: 3 string, 5 int32, 7 bool, 1 array. A failed setup must not be tried again
# without end, hence no-proto-task.
# shellcheck disable=SC2089
dump='{"name":"map","config":[["maptype",3],["type",3],["rule",3],["rules",3],["ipaddr",3],["ip4prefixlen",5],["ip6prefix",3],
["ip6prefixlen",5],["peeraddr",3],["ealen",5],["psidlen",5],["psid",5],["offset",5],["legacymap",7],["tunlink",3],
["mtu",5],["ttl",5],["zone",3],["encaplimit",3],["reserved_ports",3],["dont_snat_to",3],["snat_fix",7],
["allow_private",7],["nat",3],["ip6ifaceid",3],["forward",1],["upnp_ports",5]],
"no-device":true,"no-device-config":false,"no-proto-task":true,"available":true,"renew-handler":true,"lasterror":false,
"teardown-on-l3-link-down":false}'

case "${2-}" in
dump)
	# Joined without a program: a fork costs more than the answer.
	IFS='
'
	# shellcheck disable=SC2086,SC2090
	set -- $dump
	IFS=
	printf '%s\n' "$*"
	;;
setup | teardown | renew)
	. "${MAPMIN_LIB:-/usr/lib/mapmin}/engine.sh"
	# Of a name that is none nobody but the log is told.
	case ${3-} in
	'' | *[!A-Za-z0-9_.-]*) iface= ;;
	*) iface=$3 ;;
	esac
	if [ -n "$iface" ]; then
		[ "$2" != setup ] || mapmin_watch "$iface"
		# netifd ends a teardown after 5 s.
		[ "$2" = teardown ] && patience=2 || patience=20
		mapmin_take_turn "$iface" "$patience"
	fi
	mapmin_exec handler proto "$@" || code=$?
	# Without an engine nobody else tells netifd; the interface would stay pending without an error.
	if [ -n "$iface" ]; then
		mapmin_tell "$iface" NO_ENGINE
		rm -f "${mapmin_run:?}/$iface.lock" || :
	fi
	exit "$code"
	;;
*)
	echo "usage: map.sh '' dump | map.sh map setup|teardown|renew INTERFACE JSON [DEVICE]" >&2
	exit 2
	;;
esac
