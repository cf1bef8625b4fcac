# Sourced by the programs that build the kernel module: where things are, the kernels of the lab, and the module for them.
# Gives `project`, `cache` and `kmod`. Two runs at once would build in the same directories: the second waits for the first.
# Needs `here`, the directory of the program that sources it.

project=$here
while [ ! -f "$project/test/run" ]; do project=$(dirname -- "$project"); done
cache=${MAPMIN_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/mapmin}
kmod=$project/src/kmod
mkdir -p "$cache"

# The lock goes with this process and what it has started.
if [ -z "${MAPMIN_LOCKED:-}" ]; then
	exec 9>"$cache/test-run.lock"
	flock -n 9 || {
		echo "waiting for another run that uses $cache"
		flock 9
	}
	export MAPMIN_LOCKED=1
fi

fail() {
	echo "$(basename -- "$(dirname -- "$0")")/$(basename -- "$0"): $*" >&2
	exit 1
}

# Gives `tree` of the kernel that KERNEL names, `linux` its program, and `memory` and `seconds` that a guest of it is given;
# `root`, the guest's files, `machine`, where it has the files of this machine, and `words` for make.
kernel() {
	root=/ machine= words=
	case ${KERNEL:-} in
	'') tree=$(readlink -f "$cache/linux-current") memory=768M seconds=300 ;;
	debug | 6.12 | 7)
		sh "$project/test/kernels/build.sh" -q "$KERNEL"
		tree=$(readlink -f "$cache/linux-$KERNEL") memory=768M seconds=300
		[ "$KERNEL" != debug ] || memory=2048M seconds=900
		;;
	i386)
		sh "$project/test/kernels/build.sh" -q i386
		tree=$(readlink -f "$cache/linux-i386") memory=768M seconds=300
		# A 32-bit kernel runs 32-bit programs alone.
		root=$(sh "$project/test/kernels/root.sh") machine=/machine
		words="SUBARCH=i386 CROSS_COMPILE=i686-linux-gnu-"
		;;
	*) fail "KERNEL is debug, i386, 6.12 or 7" ;;
	esac
	linux=$tree/linux
}

# Does something while no other run of ours does: suites run side by side. Usage: one_at_a_time COMMAND [ARGUMENT ...]
one_at_a_time() {
	exec 8>"$cache/test-build.lock"
	flock 8
	"$@"
	exec 8>&-
}

# Builds a copy of the module for `tree`, unless it is built from the same sources. Usage: module [WORDS of make]; gives `module`
module() {
	one_at_a_time build_module "$@"
}

build_module() {
	build=$cache/kmod-$(basename "$tree")$(echo "$*" | tr -cd 'A-Za-z0-9')
	module=$build/mapmint.ko
	key=$({ echo "$tree $*"; cd "$kmod" && find . -type f ! -name '*.o' | LC_ALL=C sort | xargs sha256sum; } | sha256sum)
	if [ -f "$module" ] && [ "$key" = "$(cat "$build/.key" 2>/dev/null)" ]; then
		return
	fi
	rm -rf "$build"
	cp -r "$kmod" "$build"
	# shellcheck disable=SC2086
	make -C "$tree" ARCH=um $words M="$build" -j"$(nproc)" "$@" modules >"$build.log" 2>&1 || {
		cat "$build.log" >&2
		exit 1
	}
	echo "$key" >"$build/.key"
}

# Builds a program that a guest runs from test/FOLDER/NAME.c. Usage: program FOLDER/NAME; gives `program`
program() {
	program=$cache/program-$(basename "$1")
	cc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$program" "$project/test/$1.c"
}
