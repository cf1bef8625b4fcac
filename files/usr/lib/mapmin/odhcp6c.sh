# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by /etc/odhcp6c.user.d/mapmin, at the end of odhcp6c's script, at every change of a lease and at every router
# advertisement: $1 is the device, $2 the state. On a lease with option 48879 it has the MAP interface of this link
# offered, replaced or withdrawn.
#
# A program costs a router up to a second, and advertisements come every few minutes or seconds: what was last
# acted upon is kept in a file, and while it holds nothing is started, not even a small program.
#
# Everything is in a subshell: the script that sources this keeps its variables, options and its life.
(
	set -euf
	trap 'exit 0' EXIT

	run=${MAPMIN_RUN:-/var/run/mapmin}
	state=${2-}
	link=${INTERFACE-}
	option=${OPTION_48879-}

	# What the provider sent and what the environment holds goes into file names, and on to another program.
	case $link in
	'' | .* | -* | *[!A-Za-z0-9_.-]*) exit 0 ;;
	esac
	file=$run/$link.lease
	# What the newest hook is about. It stays, so that a slower one can tell that it has been overtaken.
	turn=$run/$link.turn
	# Its time is that of the last look at the configuration.
	look=$run/$link.look
	network=${MAPMIN_NETWORK:-/etc/config/network}

	# Whether another hook has come since $1 was written there.
	overtaken() {
		about=
		[ ! -r "$turn" ] || IFS= read -r about <"$turn" || :
		[ -n "$about" ] && [ "$about" != "$1" ]
	}

	# One hook at a time. The engine holds the lock as well: when odhcp6c ends a hook, its engine goes on, and the next
	# hook waits for it. Without a directory, or room in it, a hook acts all the same: the lease counts, not its record.
	take_turn() {
		# Only root may enter it: whoever can open a file can lock it.
		# shellcheck disable=SC2174
		[ -d "$run" ] || mkdir -p -m 700 "$run" || return 0
		printf '%s\n' "$1" >"$turn" || :
		exec 9<"$run"
		flock 9 || :
		! overtaken "$1"
	}

	case $state in
	bound | informed | updated | rebound | ra-updated) ;;
	started | stopped | unbound)
		# The link's prefixes are gone, and netifd takes the interface down: the next lease is a new one.
		if [ -e "$turn" ] && take_turn "$state"; then
			rm -f "$file"
		fi
		exit 0
		;;
	*) exit 0 ;;
	esac

	case $option in
	*[!0-9A-Fa-f]*)
		[ "$state" = ra-updated ] || echo "mapmin: OPTION_48879 of $link is not hexadecimal: not used" >&2
		exit 0
		;;
	esac

	# Where OpenWrt's own script offers a MAP interface (RFC 7598's options), it is that one's rule that counts.
	if [ "${IFACE_MAP-}" != 0 ] && [ "${DYNAMIC-}" != 0 ]; then
		if [ -n "${MAPE-}${LW4O6-}" ]; then
			exit 0
		fi
		if [ -n "${MAPT-}" ] && [ -f "${MAPMIN_CONTROL:-/proc/net/nat46/control}" ]; then
			exit 0
		fi
	else
		# The user wants no interface offered.
		option=
	fi

	case ${IFACE_MAP-} in
	'' | 0 | 1 | .* | -* | *[!A-Za-z0-9_.-]*) name=${link}_4 ;;
	*) name=$IFACE_MAP ;;
	esac
	zone=${ZONE_MAP:-${ZONE-}}
	case $zone in
	*[!A-Za-z0-9_.-]*) zone= ;;
	esac

	# Lifetimes count down from one advertisement to the next: only the prefixes themselves tell of a change.
	prefixes=
	for prefix in ${PREFIXES-}; do
		prefix=${prefix%%,*}
		case $prefix in
		*[!0-9A-Fa-f:/]*) ;;
		*) prefixes="$prefixes $prefix" ;;
		esac
	done
	lease="$name $zone|$option|$prefixes"

	now=0
	if [ -r /proc/uptime ]; then
		read -r now _ </proc/uptime
		now=${now%%.*}
	fi

	# Whether there is nothing to do: this lease was acted upon, or has failed just now.
	settled() {
		known=
		outcome=
		if [ -r "$file" ]; then
			{
				IFS= read -r known || :
				IFS= read -r outcome || :
			} <"$file"
		elif [ -z "$option" ]; then
			# No option, and none before: nothing was offered.
			return 0
		fi
		[ "$known" = "$lease" ] || return 1
		case $outcome in
		ok)
			# A MAP interface that was configured or deleted by hand changes what is to be offered. The record is
			# younger than the look at the configuration that it is about, and busybox compares whole seconds: a
			# configuration of the same second may be a newer one.
			# shellcheck disable=SC3013
			[ ! -e "$network" ] || [ "$look" -nt "$network" ]
			;;
		failed\ *[!0-9]*) return 1 ;;
		failed\ ?*)
			# Not once an advertisement: what failed just now fails again. Other states come with a renewal.
			[ "$state" = ra-updated ] && [ $((now - ${outcome#failed })) -lt 60 ]
			;;
		*) return 1 ;;
		esac
	}

	# Renamed into place: odhcp6c may end a script at any moment to start the next.
	note() {
		if printf '%s\n%s\n' "$lease" "$1" >"$file.$$"; then
			mv -f "$file.$$" "$file"
		else
			rm -f "$file.$$" "$file" || :
		fi
	}

	if ! overtaken "$lease" && settled; then
		exit 0
	fi
	if ! take_turn "$lease" || settled; then
		exit 0
	fi

	# A hook that is ended from here on leaves this: the next one then acts again.
	note begun
	printf '' >"$look" || :
	outcome=ok
	(
		export OPTION_48879="$option" ZONE="$zone" IFACE_MAP="$name"
		. "${MAPMIN_LIB:-/usr/lib/mapmin}/engine.sh"
		mapmin_exec handler hook "$link" "$state"
	) || outcome="failed $now"

	if overtaken "$lease"; then
		exit 0
	fi
	if [ "$outcome" = ok ] && [ -z "$option" ]; then
		rm -f "$file"
		exit 0
	fi
	note "$outcome"
)
