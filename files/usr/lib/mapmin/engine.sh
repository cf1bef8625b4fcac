# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by what starts our programs. `mapmin_exec BUNDLE PROGRAM [ARGUMENT ...]` becomes that program, on the engine that
# /usr/lib/mapmin/engine names (one line, a path, for who wants another than the first one found), else Node, else QuickJS.
# Nothing is started to find it.

mapmin_lib=${MAPMIN_LIB:-/usr/lib/mapmin}
mapmin_run=${MAPMIN_RUN:-/var/run/mapmin}

mapmin_exec() {
	mapmin_bundle=$mapmin_lib/$1.cjs
	shift
	mapmin_engine=
	if [ -r "$mapmin_lib/engine" ]; then
		read -r mapmin_engine <"$mapmin_lib/engine" || :
	fi
	for mapmin_engine in "$mapmin_engine" "${MAPMIN_BIN:-/usr/bin}/node" "${MAPMIN_BIN:-/usr/bin}/qjs"; do
		if [ -f "$mapmin_engine" ] && [ -x "$mapmin_engine" ]; then
			exec "$mapmin_engine" "$mapmin_bundle" "$@"
		fi
	done
	echo "mapmin: there is neither /usr/bin/node nor /usr/bin/qjs to run it: install the package node or quickjs" >&2
	return 127
}

# Tells netifd the error $2 of the interface $1.
mapmin_tell() {
	ubus -S call network.interface notify_proto "{\"interface\":\"$1\",\"action\":3,\"error\":[\"$2\"]}" || :
}

# Only root may enter the directory: whoever can open a file can lock it, and handlers and hooks would wait.
mapmin_make_run() {
	# The mode is meant for this directory alone.
	# shellcheck disable=SC2174
	[ -d "$mapmin_run" ] || mkdir -p -m 700 "$mapmin_run"
}

# An engine that is killed (the router is short of memory) or does not start tells netifd nothing, and the interface $1 would
# wait without an error for ever. So a second shell looks, once the process that is to become the engine has ended. A later setup
# has a second shell of its own: the file says which setup is the newest.
mapmin_watch() {
	mapmin_newest=$mapmin_run/$1.setup
	mapmin_make_run || :
	# To open a FIFO would be to wait.
	[ -e "$mapmin_newest" ] && [ ! -f "$mapmin_newest" ] || { echo $$ >"$mapmin_newest"; } 2>/dev/null || :
	(
		while kill -0 $$; do sleep 1; done
		silent=
		case $(ubus -S call network.interface status "{\"interface\":\"$1\"}") in
		*'"errors":'*) ;;
		*'"pending":true'*) silent=1 ;;
		esac
		# What waits may be the setup after ours: by now it has said so.
		[ -z "$silent" ] || sleep 1
		pid=
		[ ! -f "$mapmin_newest" ] || read -r pid <"$mapmin_newest" || :
		[ "${pid:-$$}" = $$ ] || exit 0
		rm -f "$mapmin_newest" || :
		[ -z "$silent" ] || mapmin_tell "$1" HANDLER_ENDED
	) >/dev/null 2>&1 &
}

# Waits until no other handler acts on the interface $1, and takes the lock (descriptor 9). The engine holds it until it ends,
# and removes the file. A netifd never starts two handlers at once, but when it crashes its handler lives on, and the next netifd
# starts another. After $2 seconds we wait no longer: a handler that hangs must not keep the interface as it is for ever.
mapmin_take_turn() {
	mapmin_lock=$mapmin_run/$1.lock
	mapmin_left=$2
	mapmin_make_run || return 0
	while [ "$mapmin_left" -gt 0 ]; do
		mapmin_left=$((mapmin_left - 1))
		# For reading and writing: opened for one of them alone, a FIFO would keep us waiting. Without `command` the shell would
		# end when the file cannot be made.
		command exec 9<>"$mapmin_lock" || return 0
		mapmin_code=0
		flock -n 9 || mapmin_code=$?
		case $mapmin_code in
		0)
			# Is this still the file? The handler before us may have removed it after we opened it.
			# shellcheck disable=SC3013
			[ ! "$mapmin_lock" -ef /proc/self/fd/9 ] || return 0
			;;
		1) sleep 1 ;;
		# There is no flock.
		*) return 0 ;;
		esac
	done
	echo "mapmin: $1: another handler has not ended after $2 s: we go on beside it" >&2
}
