#!/bin/sh
# Fetches the headers of Debian's Linux 6.1 for another architecture, once: what a module is built against there, with the
# list of what that kernel exports (Module.symvers). Nothing is installed. Prints the tree:
#
#   make -C TREE M=DIR CROSS_COMPILE=TRIPLE- modules
#
#   sh test/kernels/headers.sh i386|armhf|mipsel|arm64
#
# The tree is below ${MAPMIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mapmin}/headers-ARCHITECTURE. The kernel's build programs are
# those of the package linux-kbuild-6.1, which comes with linux-headers-amd64.
set -eu
export LC_ALL=C

arch=${1:-}
case $arch in
i386) flavour=686 ;;
armhf) flavour=armmp ;;
mipsel) flavour=4kc-malta ;;
arm64) flavour=arm64 ;;
*)
	echo "usage: headers.sh i386|armhf|mipsel|arm64" >&2
	exit 2
	;;
esac
kbuild=/usr/lib/linux-kbuild-6.1
[ -d "$kbuild" ] || {
	echo "headers.sh: install the Debian package linux-headers-amd64" >&2
	exit 1
}
cache=${MAPMIN_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/mapmin}
directory=$cache/headers-$arch
mkdir -p "$cache"

# One at a time: a second caller waits for the first and then finds what it made. The lock goes with the process.
exec 9>"$cache/headers.lock"
flock 9

if [ ! -f "$directory/tree" ]; then
	work=$cache/headers-new
	rm -rf "$work"
	mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/root/usr/lib"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	# From where the machine has its own Debian.
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		sed -n "s/^\([^ ]*\) \(bookworm\|bookworm-security\) main$/deb [signed-by=$(echo "$keyring" | sed 's,/,\\/,g')] \1 \2 main/p" \
			>"$work/sources.list"
	[ -s "$work/sources.list" ] || {
		echo "headers.sh: this machine's list of suites has no bookworm" >&2
		exit 1
	}
	apt() {
		program=$1
		shift
		"apt-$program" -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists" \
			-o Dir::Cache="$work" -o Dir::State::status=/dev/null -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
			-o Acquire::Languages=none -o APT::Sandbox::User= "$@"
	}
	refuse() {
		tail -n 10 "$work/log" >&2
		echo "headers.sh: $*; the whole log is $work/log" >&2
		exit 1
	}
	# Where one of the lists cannot be had (a mirror that is being renewed), the other has headers, too.
	(cd "$work" && apt get update) >"$work/log" 2>&1 || :
	# The newest, without a word between number and flavour (rt).
	package=$(apt cache pkgnames linux-headers-6.1.0- | grep -x "linux-headers-6\.1\.0-[0-9]*-$flavour" | sort -V | tail -n 1)
	[ -n "$package" ] || refuse "Debian has no linux-headers-6.1.0-*-$flavour"
	(cd "$work" && apt get download "$package" "${package%"$flavour"}common") >>"$work/log" 2>&1 ||
		refuse "$package could not be fetched"
	for archive in "$work"/*.deb; do
		dpkg -x "$archive" "$work/root"
	done
	# Their links lead there.
	ln -s "$kbuild" "$work/root/usr/lib/"
	# The common part is named by its place on a machine of its own.
	sed -i "s,/usr/src/,../," "$work/root/usr/src/$package/Makefile"
	echo "usr/src/$package" >"$work/root/tree"
	rm -rf "$directory"
	mv "$work/root" "$directory"
	rm -rf "$work"
fi
echo "$directory/$(cat "$directory/tree")"
