#!/bin/sh
# Prints where a Debian archive of Linux sources is, and its version, on one line.
#
#   sh test/kernels/source.sh SERIES CACHE      SERIES: 6.1, 6.12, or 7 for the newest 7.x that Debian serves
#
# 6.1 is the package of Debian 12 (linux-source-6.1), installed. The others are fetched once, into CACHE/source; to look for
# a newer one, remove its line file there. The machine's own list of suites and its packages stay as they are: the suite
# is looked up in lists of this script's own, at the address from which the machine has its Debian.
set -eu
export LC_ALL=C

series=${1:?usage: source.sh SERIES CACHE}
cache=${2:?usage: source.sh SERIES CACHE}

fail() {
	echo "source.sh: $*" >&2
	exit 1
}

if [ "$series" = 6.1 ]; then
	[ -f /usr/src/linux-source-6.1.tar.xz ] || fail "install the Debian package linux-source-6.1"
	echo "/usr/src/linux-source-6.1.tar.xz $(dpkg-query -W -f='${Version}' linux-source-6.1)"
	exit 0
fi

found=$cache/source/$series
if [ -f "$found" ] && [ -f "$(cut -d' ' -f1 "$found")" ]; then
	cat "$found"
	exit 0
fi

# The address of a suite that the machine uses.
address() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v suite="$1" '$2 == suite && $3 == "main" { print $1; exit }'
}

case $series in
6.12) base=bookworm-security suite=bookworm-security ;;
7) base=bookworm suite=trixie-backports ;;
*) fail "no such series: $series" ;;
esac
uri=$(address "$base")
[ -n "$uri" ] || fail "this machine's list of suites has no $base"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || fail "install the Debian package debian-archive-keyring"

work=$cache/source/$series.work
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/parts" "$work/deb"
trap 'rm -rf "$work"' EXIT
echo "deb [signed-by=$keyring] $uri $suite main" >"$work/list.list"

apt() {
	program=$1
	shift
	"apt-$program" -q -o Dir::Etc::sourcelist="$work/list.list" -o Dir::Etc::sourceparts="$work/parts" \
		-o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User=root "$@"
}

apt get update >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	fail "$suite cannot be read"
}
if [ "$series" = 7 ]; then
	package=$(apt cache pkgnames linux-source-7. | sort -V | tail -n 1)
else
	package=linux-source-$series
fi
[ -n "$package" ] || fail "$suite has no Linux $series"
(cd "$work/deb" && apt get download "$package") >>"$work/log" 2>&1 || {
	cat "$work/log" >&2
	fail "$package cannot be had from $suite"
}
deb=$(echo "$work"/deb/*.deb)
version=$(dpkg-deb -f "$deb" Version)
dpkg-deb -x "$deb" "$work/files"
archive=$cache/source/$package-$(echo "$version" | tr -c 'A-Za-z0-9.\n-' _).tar.xz
mv "$work/files/usr/src/$package.tar.xz" "$archive"
echo "$archive $version" >"$found.$$"
mv "$found.$$" "$found"
cat "$found"
