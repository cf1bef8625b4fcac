#!/bin/sh
# Makes the root of a 32-bit guest, once: Debian's programs for i386 that the module's suites call, unpacked into the cache
# from where the machine has its own Debian. Nothing is installed, and none of them runs here. Prints the directory.
#
#   sh test/kernels/root.sh
#
# The directory is ${MAPMIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mapmin}/root-i386. The guest has the machine's own files
# below /machine.
set -eu
export LC_ALL=C

arch=i386
packages="base-files base-passwd busybox-static conntrack coreutils dash ethtool grep iproute2 iptables iputils-ping kmod mount
	netbase nftables procps python3 sed tayga traceroute util-linux"
cache=${MAPMIN_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/mapmin}
directory=$cache/root-$arch
mkdir -p "$cache"

# One at a time: a second caller waits for the first and then finds what it made. The lock goes with the process.
exec 9>"$cache/root.lock"
flock 9

# This file says all that is in it.
key=$(sha256sum <"$0")
if [ "$key" = "$(cat "$directory/.key" 2>/dev/null)" ]; then
	echo "$directory"
	exit 0
fi

work=$cache/root-new
root=$work/root
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial" "$root"
echo "fetching Debian's programs for $arch into $directory (once; log: $work/log)" >&2
refuse() {
	tail -n 10 "$work/log" >&2
	echo "root.sh: $*; the whole log is $work/log" >&2
	exit 1
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || {
	echo "root.sh: install the Debian package debian-archive-keyring" >&2
	exit 1
}
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
	awk -v keyring="$keyring" '$2 ~ /^bookworm(-security)?$/ && $3 == "main" { print "deb [signed-by=" keyring "]", $1, $2, $3 }' \
		>"$work/sources.list"
[ -s "$work/sources.list" ] || {
	echo "root.sh: this machine's list of suites has no bookworm" >&2
	exit 1
}
apt() {
	apt-get -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists" \
		-o Dir::Cache="$work" -o Dir::State::status=/dev/null -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o Acquire::Languages=none -o APT::Sandbox::User= "$@"
}
# Where one of the lists cannot be had (a mirror that is being renewed), the other has the programs, too.
(cd "$work" && apt update) >"$work/log" 2>&1 || :
# With all that they depend on, since nothing counts as installed.
# shellcheck disable=SC2086
(cd "$work" && apt install -y --download-only --no-install-recommends $packages) >>"$work/log" 2>&1 ||
	refuse "Debian's programs for $arch could not be fetched"

# Debian 12 has everything under /usr; packages name files by the old paths, too.
for name in bin sbin lib; do
	mkdir -p "$root/usr/$name"
	ln -s "usr/$name" "$root/$name"
done
for archive in "$work"/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$root" --keep-directory-symlink
done >>"$work/log" 2>&1 || refuse "a package could not be unpacked"
# What the packages' own scripts would have linked.
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
	ln -s xtables-nft-multi "$root/usr/sbin/$name"
done
ln -s traceroute.db "$root/usr/bin/traceroute"
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
mkdir "$root/machine"
echo "$key" >"$root/.key"
rm -rf "$directory"
mv "$root" "$directory"
rm -rf "$work"
echo "$directory"
