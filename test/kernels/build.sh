#!/bin/sh
# Builds the lab kernel (User Mode Linux) once, from Debian's linux-source-6.1, and others beside it.
#
#   sh test/kernels/build.sh [-q] [KERNEL]
#
#   KERNEL   link           what
#            linux-current  the lab kernel
#   debug    linux-debug    the same with config.debug (KASAN, lockdep, kmemleak)
#   i386     linux-i386     the same for a 32-bit processor
#   6.12     linux-6.12     Linux 6.12
#   7        linux-7        the newest 7.x that Debian serves, with two CPUs
#   clang    linux-clang    the same source configured for x86 with clang: a tree for modules, and no kernel
#
# The tree goes to ${MAPMIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mapmin}/linux-VERSION-KEY, where KEY covers
# the version of the source package, the configuration and the compiler: a change of any of them builds anew. The
# finished tree holds the program `linux` and is ready for modules from elsewhere:
#
#   make -C TREE ARCH=um M=DIR modules       for i386 with the words SUBARCH=i386 CROSS_COMPILE=i686-linux-gnu-
#
# The last line printed is the path of that tree (not with -q), and CACHE/LINK is a link to it. An interrupted build
# leaves nothing that a later one mistakes for a finished tree.
set -eu

quiet=
kernel=lab
for word in "$@"; do
	case $word in
	-q) quiet=-q ;;
	debug | i386 | 6.12 | 7 | clang) kernel=$word ;;
	*)
		echo "usage: build.sh [-q] [debug|i386|6.12|7|clang]" >&2
		exit 2
		;;
	esac
done

arch=um series=6.1 link=linux-$kernel targets="linux modules" product=linux words=
compiler=gcc package='' identify="gcc -dumpfullversion -dumpmachine"
case $kernel in
lab) link=linux-current fragments=config.fragment ;;
debug) fragments="config.fragment config.debug" ;;
i386)
	fragments="config.fragment config.i386"
	words="SUBARCH=i386 CROSS_COMPILE=i686-linux-gnu-"
	compiler=i686-linux-gnu-gcc package=gcc-i686-linux-gnu identify="i686-linux-gnu-gcc -dumpfullversion -dumpmachine"
	;;
6.12) series=6.12 fragments="config.fragment config.6.12" ;;
7) series=7 fragments="config.fragment config.7" ;;
clang)
	series=7 arch=x86_64 targets=modules_prepare product=scripts/mod/modpost fragments=config.clang
	compiler=clang-19 identify="clang-19 --version"
	;;
esac
command -v "$compiler" >/dev/null || {
	echo "build.sh: $compiler is missing: install the Debian package ${package:-$compiler}" >&2
	exit 1
}
here=$(cd "$(dirname "$0")" && pwd)
cache=${MAPMIN_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/mapmin}
mkdir -p "$cache"

# One at a time: a second caller waits for the first and then finds what it made. The lock goes with the process.
locked() {
	exec 9>"$cache/linux-build.lock"
	flock 9
}

case $series in
6.1) ;;
*) [ -f "$cache/source/$series" ] || locked ;;
esac
found=$(sh "$here/source.sh" "$series" "$cache")
source=${found% *}
version=${found#* }
cd "$here"
# shellcheck disable=SC2086
key=$({ cat $fragments; echo "$version"; $identify; } | sha256sum | cut -c1-12)
tree=$cache/linux-$(echo "$version" | tr -c 'A-Za-z0-9.\n-' _)-$key

publish() {
	ln -sfn "$tree" "$cache/$link.$$"
	mv -T "$cache/$link.$$" "$cache/$link"
	[ "$quiet" = -q ] || echo "$tree"
}

if [ -x "$tree/$product" ] && [ -f "$tree/.built" ]; then
	publish
	exit 0
fi

locked
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

echo "building the kernel $version ($kernel) in $tree (some minutes, once; log: $log)"
start=$(date +%s)
(
	exec >>"$log" 2>&1 9>&-
	tar -xf "$source" -C "$tree" --strip-components=1
	cd "$tree"
	# Up to 6.12 the vector registers of a task get 2,696 octets. A processor with AMX has 11,008 of them, and a guest
	# on one ends with its first program. Later kernels ask the processor.
	case $series in
	6.1 | 6.12)
		sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 12288)/' arch/x86/um/user-offsets.c
		grep -q 'HOST_FP_SIZE, 12288' arch/x86/um/user-offsets.c || {
			echo "arch/x86/um/user-offsets.c does not define HOST_FP_SIZE as 2696"
			exit 1
		}
		;;
	esac
	if [ "$kernel" = i386 ]; then
		# A name that the C library keeps for old programs, and not where it is linked into a program.
		sed -i '/EXPORT_SYMBOL_PROTO(__xmknod);/d' arch/um/os-Linux/user_syms.c
		# A guest's processes begin as copies of the kernel's, and what is above TASK_SIZE stays in them. There may be the
		# end of a stack, which grows when the guest touches what is below it, and the guest's page is hidden by it. So
		# TASK_SIZE is less than where any stack can reach: 8 MiB of random start and 8 MiB of growth.
		sed -i 's/task_size = host_task_size & PGDIR_MASK;/task_size = 0xfe000000;/' arch/um/kernel/um_arch.c
		grep -q 'task_size = 0xfe000000;' arch/um/kernel/um_arch.c || {
			echo "arch/um/kernel/um_arch.c does not set task_size by PGDIR_MASK"
			exit 1
		}
	fi
	# shellcheck disable=SC2086
	make ARCH="$arch" CC="$compiler" $words defconfig
	for fragment in $fragments; do
		ARCH="$arch" CC="$compiler" scripts/kconfig/merge_config.sh -m .config "$here/$fragment"
	done
	# shellcheck disable=SC2086
	make ARCH="$arch" CC="$compiler" $words olddefconfig
	refused=0
	# What was asked for and not granted is found now, not by a test that fails for no visible reason.
	for fragment in $fragments; do cat "$here/$fragment"; done >.asked
	# make's own .config is read, and nothing is written.
	# shellcheck disable=SC2094
	while IFS= read -r line; do
		option=${line%%=*}
		case $option in
		CONFIG_*) ;;
		*) continue ;;
		esac
		# Of two fragments the later one counts. A guest has no modules but ours, so what comes out as =m is missing.
		wanted=$(grep "^$option=" .asked | tail -n 1)
		if ! grep -qxF "$wanted" .config && ! grep -qx "# absent: $option" .asked; then
			echo "$wanted was not accepted by the kernel's configuration"
			refused=1
		fi
	done <.asked
	[ "$refused" -eq 0 ]
	# shellcheck disable=SC2086
	setsid make ARCH="$arch" CC="$compiler" $words -j"$(nproc)" $targets &
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
	echo "  $(($(date +%s) - start)) s: $(find "$tree" -name "*.o" 2>/dev/null | wc -l) objects"
done
if ! wait "$waiter"; then
	tail -n 30 "$log" >&2
	echo "build.sh: the kernel did not build; the whole log is $log" >&2
	exit 1
fi

rm -f "$tree/.make.pid"
touch "$tree/.built"
publish
