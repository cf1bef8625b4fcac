#!/bin/sh
# Everything the lab needs of a Debian 12 machine: the packages of packages.txt, installed where missing, and the lab
# kernel. Says nothing and takes no time when all is there.
#
#   sh test/kernels/setup.sh          the lab
#   sh test/kernels/setup.sh foreign  the packages of packages-foreign.txt alone: compilers and emulators of other processors
set -eu
export LC_ALL=C

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
list=$here/packages${1:+-$1}.txt

# One query: names that are not fully installed.
missing=$(
	# shellcheck disable=SC2046
	dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' $(cat "$list") 2>/dev/null |
		sed -n 's/^ii *//p' | sort -u | comm -13 - "$list"
)

if [ -n "$missing" ]; then
	if [ "$(id -u)" -ne 0 ]; then
		# shellcheck disable=SC2086
		echo "setup.sh: root is needed to install these Debian packages:" $missing >&2
		exit 1
	fi
	# shellcheck disable=SC2086
	echo "installing Debian packages:" $missing
	log=$(mktemp)
	# The daemons are run by the lab in namespaces of its own: at runlevel 1 none is started by its installation.
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	# shellcheck disable=SC2086
	if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "setup.sh: the packages could not be installed; the whole log is $log" >&2
		exit 1
	fi
	rm -f "$log"
fi

[ -n "${1:-}" ] || sh "$here/build.sh" -q
