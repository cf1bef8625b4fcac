#!/bin/sh
# Builds src/kmod for the lab kernel, beside the repository, as CACHE/lab/mapmint.ko. Usage: module.sh CACHE
set -eu

cache=${1:?usage: module.sh CACHE}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
source=$(dirname -- "$(dirname -- "$here")")/src/kmod
tree=$(readlink -f "$cache/linux-current")
build=$cache/lab/kmod
log=$cache/lab/kmod.log

[ -d "$source" ] || {
	rm -f "$cache/lab/mapmint.ko"
	exit 0
}
key=$({ echo "$tree"; cd "$source" && find . -type f ! -name '*.o' | LC_ALL=C sort | xargs sha256sum; } | sha256sum)
if [ -f "$cache/lab/mapmint.ko" ] && [ "$key" = "$(cat "$build/.key" 2>/dev/null)" ]; then
	exit 0
fi
rm -rf "$build"
rm -f "$cache/lab/mapmint.ko"
cp -r "$source" "$build"
if ! make -C "$tree" ARCH=um M="$build" modules >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
cp "$build/mapmint.ko" "$cache/lab/mapmint.ko"
echo "$key" >"$build/.key"
