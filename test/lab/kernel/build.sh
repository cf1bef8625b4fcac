#!/bin/sh
# Builds the lab kernel (User Mode Linux) once, from Debian's linux-source-6.1.
#
#   sh test/lab/kernel/build.sh [-q] [debug]
#
# `debug` builds a second kernel with config.debug as well (KASAN, lockdep, kmemleak), and links it as CACHE/linux-debug.
# The tree goes to ${MAPMIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mapmin}/linux-VERSION-KEY, where KEY covers
# the version of the source package, config.fragment and the compiler: a change of any of them builds anew. The
# finished tree holds the program `linux` and is ready for modules from elsewhere:
#
#   make -C TREE ARCH=um M=DIR modules
#
# The last line printed is the path of that tree (not with -q), and CACHE/linux-current is a link to it. An interrupted build
# leaves nothing that a later one mistakes for a finished tree.
set -eu

quiet=
link=linux-current
fragments=config.fragment
for word in "$@"; do
	case $word in
	-q) quiet=-q ;;
	debug)
		link=linux-debug
		fragments="config.fragment config.debug"
		;;
	*)
		echo "usage: build.sh [-q] [debug]" >&2
		exit 2
		;;
	esac
done
here=$(cd "$(dirname "$0")" && pwd)
cache=${MAPMIN_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/mapmin}
source=/usr/src/linux-source-6.1.tar.xz

if [ ! -f "$source" ]; then
	echo "build.sh: $source is missing: install the Debian package linux-source-6.1" >&2
	exit 1
fi
version=$(dpkg-query -W -f='${Version}' linux-source-6.1)
cd "$here"
# shellcheck disable=SC2086
key=$({ cat $fragments; echo "$version"; gcc -dumpfullversion -dumpmachine; } | sha256sum | cut -c1-12)
tree=$cache/linux-$(echo "$version" | tr -c 'A-Za-z0-9.\n-' _)-$key

publish() {
	ln -sfn "$tree" "$cache/$link.$$"
	mv -T "$cache/$link.$$" "$cache/$link"
	[ "$quiet" = -q ] || echo "$tree"
}

if [ -x "$tree/linux" ] && [ -f "$tree/.built" ]; then
	publish
	exit 0
fi

mkdir -p "$cache"
# One build at a time: a second caller waits for the first and then finds its tree. The lock goes with the process.
exec 9>"$cache/linux-build.lock"
flock 9
if [ -f "$tree/.built" ]; then
	publish
	exit 0
fi

# The configuration and the module tools keep absolute paths, so the build happens in its final place. What makes
# a tree valid is the stamp, written last; anything without one is rubbish of an interrupted build.
rm -rf "$tree"
mkdir "$tree"
log=$cache/linux-build.log
: >"$log"

waiter=
worker=
stop() {
	if [ -n "$waiter" ]; then
		kill "$waiter" 2>/dev/null || true
	fi
	if [ -n "$worker" ]; then
		# The worker leads a process group of its own, so make and its compilers go with it.
		kill -- "-$worker" 2>/dev/null || true
	fi
	rm -rf "$tree"
}
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM HUP

echo "building the lab kernel $version in $tree (some minutes, once; log: $log)"
start=$(date +%s)
(
	exec >>"$log" 2>&1 9>&-
	tar -xf "$source" -C "$tree" --strip-components=1
	cd "$tree"
	make ARCH=um defconfig
	for fragment in $fragments; do
		scripts/kconfig/merge_config.sh -m .config "$here/$fragment"
	done
	make ARCH=um olddefconfig
	refused=0
	# What was asked for and not granted is found now, not by a test that fails for no visible reason.
	for fragment in $fragments; do cat "$here/$fragment"; done >.asked
	while IFS= read -r line; do
		option=${line%%=*}
		case $option in
		CONFIG_*) ;;
		*) continue ;;
		esac
		if ! grep -q "^$option=" .config; then
			echo "$line was not accepted by the kernel's configuration"
			refused=1
		fi
	done <.asked
	[ "$refused" -eq 0 ]
	setsid make ARCH=um -j"$(nproc)" linux modules &
	echo $! >"$tree/.make.pid"
	wait $!
) &
waiter=$!

while kill -0 "$waiter" 2>/dev/null; do
	i=0
	while [ "$i" -lt 10 ] && kill -0 "$waiter" 2>/dev/null; do
		sleep 1
		i=$((i + 1))
	done
	if [ -z "$worker" ] && [ -f "$tree/.make.pid" ]; then
		worker=$(cat "$tree/.make.pid")
	fi
	echo "  $(($(date +%s) - start)) s: $(find "$tree" -name '*.o' | wc -l) objects"
done
if ! wait "$waiter"; then
	tail -n 30 "$log" >&2
	echo "build.sh: the kernel did not build; the whole log is $log" >&2
	exit 1
fi

rm -f "$tree/.make.pid"
touch "$tree/.built"
publish
