#!/bin/sh
# The long fuzz runs: 1,000,000 options and 200,000 ubus frames. Each prints its seed; SEED=n repeats a run.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
project=$(dirname -- "$(dirname -- "$here")")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cd "$project"
seed=${SEED:-$(date +%s)}
for program in options frames; do
	node_modules/.bin/esbuild "$here/malformed-$program-long.ts" --bundle --platform=node --format=esm --log-level=warning \
		--outfile="$out/$program.mjs"
	case $program in
	options) count=1000000 ;;
	frames) count=200000 ;;
	esac
	node "$out/$program.mjs" "$count" "$seed"
done
