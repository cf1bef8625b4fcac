# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by /etc/hotplug.d/iface/30-mapmin at every event of a network interface. A MAP interface whose setup failed waits, and netifd
# does not start it again by itself; one that is up does not learn that its link's lease has changed. So: when a link comes
# up or gets other addresses, prefixes or options, its MAP interfaces look at it again (`renew`, which does nothing when
# the same customer edge comes out).
#
# What the link had at the last look is kept in a file. With the same again nothing is called, so that a rule that is
# simply wrong is tried once for each change, and never in a loop.
(
	set -euf
	trap 'exit 0' EXIT

	run=${MAPMIN_RUN:-/var/run/mapmin}
	link=${INTERFACE-}
	case $link in
	'' | .* | -* | *[!A-Za-z0-9_.-]*) exit 0 ;;
	esac

	# miniupnpd hands out ports of the set (`option upnp_ports`): it learns of another set, and when there is none any more.
	has_ports() {
		case $(cat "$run/$link.state") in
		*upnp_ports=*) ;;
		*) false ;;
		esac
	}
	was_told() { [ -n "$(uci -q get upnpd.mapmin_0 || :)" ]; }
	# shellcheck disable=SC2015
	case ${ACTION-} in
	ifup | ifupdate) [ -r "$run/$link.state" ] && { has_ports || was_told; } ;;
	ifdown) was_told && [ -z "$(uci -q get "network.$link" || :)" ] ;;
	*) false ;;
	esac && (
		. "${MAPMIN_LIB:-/usr/lib/mapmin}/engine.sh"
		mapmin_exec tools mapminctl upnp
	) >&2 || :

	case ${ACTION-} in
	# What has changed is not read from IFUPDATE_PREFIXES and its kind: netifd sets them when it calls us. Where an event
	# had to wait and the link was updated once more meanwhile, they tell of that last update alone.
	ifup | ifupdate) ;;
	ifdown)
		for file in "$run/$link.lease" "$run/$link.link"; do
			[ ! -e "$file" ] || rm -f "$file"
		done
		exit 0
		;;
	*) exit 0 ;;
	esac

	interfaces=$(ubus -S call network.interface dump) || exit 0
	maps=$(printf '%s' "$interfaces" | jsonfilter -q -e "@.interface[@.proto='map'].interface") || exit 0
	[ -n "$maps" ] || exit 0

	# Whether the MAP interface $1 is one of this link's.
	uses_link() {
		# Without tunlink the handler takes wan6.
		if [ -n "$(uci -q get "network.$1" || :)" ]; then
			tunlink=$(uci -q get "network.$1.tunlink" || :)
			[ "${tunlink:-wan6}" = "$link" ]
			return
		fi
		# Offered for a lease: named by the link's configuration or after the link.
		offered=$(uci -q get "network.$link.iface_map" || :)
		[ "$1" = "${link}_4" ] || [ "$1" = "$offered" ]
	}

	# What a customer edge can follow from, without what counts down. After a renumbering there are two prefixes for a while,
	# one of them deprecated. If the provider goes back then, the prefixes are the same, and the other one is deprecated.
	link_facts() {
		here="@.interface[@.interface='$link']"
		printf '%s' "$interfaces" | jsonfilter -q \
			-e "${here}['ipv6-prefix'][*].address" -e "${here}['ipv6-prefix'][*].mask" \
			-e "${here}['ipv6-address'][*].address" -e "${here}['ipv6-address'][*].mask" \
			-e "${here}['ipv6-prefix'][@.preferred=0].address" -e "${here}['ipv6-address'][@.preferred=0].address" \
			-e "${here}.data.passthru" || :
	}

	facts=$(link_facts)
	file=$run/$link.link
	known=
	[ ! -r "$file" ] || known=$(cat "$file")
	if [ "$ACTION" = ifupdate ] && [ "$facts" = "$known" ]; then
		exit 0
	fi

	looked=
	for map in $maps; do
		case $map in
		'' | -* | *[!A-Za-z0-9_.-]*) continue ;;
		esac
		uses_link "$map" || continue
		here="@.interface[@.interface='$map']"
		status=$(printf '%s' "$interfaces" | jsonfilter -q \
			-e "$here.up" -e "$here.pending" -e "$here.autostart" -e "$here.errors[0].code" | tr '\n' ' ') || :
		method=
		case $ACTION:$status in
		# Its setup has failed (`up` would do nothing, `down` removes an offered interface), or being set up (netifd has the renewal
		# wait), or up.
		ifup:false\ true\ true\ ?* | ifupdate:false\ true\ * | ifupdate:true\ *) method=renew ;;
		# Being set up or just up, since the link has come up: it reads what there is without being told.
		ifup:false\ true\ true\ * | ifup:true\ *) ;;
		esac
		[ -n "$method" ] || continue
		looked=1
		ubus -S call network.interface "$method" "{\"interface\":\"$map\"}" >&2 ||
			echo "mapmin: $map: netifd refuses $method" >&2
	done

	[ -n "$looked" ] || exit 0
	# Only root may enter it: whoever can open a file can lock it.
	# shellcheck disable=SC2174
	[ -d "$run" ] || mkdir -p -m 700 "$run"
	printf '%s\n' "$facts" >"$file.$$"
	mv -f "$file.$$" "$file"
)
