# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Sourced by what starts our programs. `mapmin_exec BUNDLE PROGRAM [ARGUMENT ...]` becomes that program, on the engine that
# /usr/lib/mapmin/engine names (one line, a path, for who wants another than the first one found), else Node, else QuickJS.
# Nothing is started to find it.

mapmin_lib=${MAPMIN_LIB:-/usr/lib/mapmin}

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
