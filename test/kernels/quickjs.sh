#!/bin/sh
# Fetches the router's other engine, once: QuickJS as Debian 13 serves it, unpacked into the cache with the C library that
# it wants. Nothing is installed. Prints the path of a program that runs it.
#
#   sh test/kernels/quickjs.sh [ARCHITECTURE]
#
# ARCHITECTURE is Debian's word (armhf, s390x ...); one that is not the machine's runs by qemu-user-static. The directory
# is ${MAPMIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mapmin}/quickjs-ARCHITECTURE, and may be moved.
set -eu
export LC_ALL=C

native=$(dpkg --print-architecture)
arch=${1:-$native}
cache=${MAPMIN_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/mapmin}
directory=$cache/quickjs-$arch
mkdir -p "$cache"

# One at a time: a second caller waits for the first and then finds what it made. The lock goes with the process.
exec 9>"$cache/quickjs.lock"
flock 9

if [ ! -x "$directory/qjs" ]; then
	work=$cache/quickjs-new
	rm -rf "$work"
	mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	# From where the machine has its own Debian.
	uri=$(apt-get update --print-uris | sed -n "s,^'\\(.*\\)/dists/bookworm/InRelease'.*,\\1,p" | head -n 1)
	[ -n "$uri" ] || {
		echo "quickjs.sh: this machine's list of suites has no bookworm" >&2
		exit 1
	}
	echo "deb [signed-by=$keyring] $uri trixie main" >"$work/sources.list"
	apt() {
		apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists" \
			-o Dir::Cache="$work" -o Dir::State::status=/dev/null -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
			-o Acquire::Languages=none -o APT::Sandbox::User= "$@"
	}
	if ! (cd "$work" && apt update && apt download quickjs libc6 libatomic1 libgcc-s1) >"$work/log" 2>&1; then
		tail -n 10 "$work/log" >&2
		echo "quickjs.sh: Debian 13's quickjs for $arch could not be fetched; the whole log is $work/log" >&2
		exit 1
	fi
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$work/root"
	done
	# Debian 13 has everything under /usr; programs name the loader by the old paths.
	for name in lib lib64; do
		[ ! -d "$work/root/usr/$name" ] || [ -e "$work/root/$name" ] || ln -s "usr/$name" "$work/root/$name"
	done
	libraries=$(dirname "$(find "$work/root/usr/lib" -name libc.so.6 -path '*-linux-*')")
	loader=$(find "$libraries" -name 'ld-linux*' -o -name 'ld64.so.*' -o -name 'ld.so.1')
	qemu=
	if [ "$arch" != "$native" ]; then
		case $arch in
		armhf | armel) qemu="qemu-arm-static" ;;
		arm64) qemu="qemu-aarch64-static" ;;
		ppc64el) qemu="qemu-ppc64le-static" ;;
		mips64el) qemu="qemu-mips64el-static" ;;
		*) qemu=qemu-$arch-static ;;
		esac
	fi
	# The dynamic loader itself is run, with the libraries that go with it. The option: this release (2025-04-26) ends a
	# program for a promise whose rejection is handled a moment later, as any `await` does; OpenWrt's wait that moment.
	cat >"$work/root/qjs" <<-END
		#!/bin/sh
		root=\${0%/*}
		exec $qemu "\$root${loader#"$work/root"}" --library-path "\$root${libraries#"$work/root"}" "\$root/usr/bin/qjs" --no-unhandled-rejection "\$@"
	END
	chmod 755 "$work/root/qjs"
	if [ "$("$work/root/qjs" -e 'print(6 * 7)')" != 42 ]; then
		echo "quickjs.sh: $work/root/qjs does not run${qemu:+: install the package qemu-user-static}" >&2
		exit 1
	fi
	rm -rf "$directory"
	mv "$work/root" "$directory"
	rm -rf "$work"
fi
echo "$directory/qjs"
