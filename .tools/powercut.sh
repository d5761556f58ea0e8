#!/usr/bin/env bash
# Cuts the power under the storage engine (test/proof/power): 1,000 times under load, or as the arguments say. Then the controls:
# the same on engines that take steps in a wrong order and on disks that lie, where violations have to be found within 50
# cuts (a slot given away too early: 200). A proof that finds none there is blind, and that is a failure.
#
#   .tools/powercut.sh                          1,000 cuts, and the controls
#   .tools/powercut.sh -cuts 100                fewer of them (what .ci/run does)
#   .tools/powercut.sh -cuts 10000 -scenarios   more, and every place of every scenario
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/right" ./test/proof/power
go build -tags failpoints -o "$work/wrong" ./test/proof/power

"$work/right" "$@"
printf '\nwith syncs that fail now and then:\n'
"$work/right" -cuts 50 -failing 100

printf '\ncontrols:\n'
for order in early-answer bytes-later early-reuse early-trim; do
  cuts=50
  [ $order = early-reuse ] && cuts=200 # a slot has to change hands just then
  printf '%s: ' "$order"
  WRONG_ORDER=$order "$work/wrong" -cuts $cuts -outcomes 12 -control
done
for file in pictures.slab avatard.db-wal; do
  printf 'syncs of %s do nothing: ' "$file"
  "$work/right" -cuts 50 -outcomes 12 -control -lie "$file"
done
