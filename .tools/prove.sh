#!/usr/bin/env bash
# Runs avatard prove as it is released, which has to find nothing within 20 s, and then the control: the same with a server that overwrites
# a picture only after it has answered, where pieces have to be found. A proof that finds none there is blind, and that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0
go build -o "$work/right" .
go build -tags failpoints -o "$work/wrong" .

timeout 20 "$work/right" prove --dir "$work"

printf '\ncontrol, with bytes that are overwritten later:\n'
status=0
WRONG_ORDER=bytes-later "$work/wrong" prove --dir "$work" >"$work/out" || status=$?
if [ $status -ne 1 ] || ! grep -q '^FOUND .* bytes of the deleted picture' "$work/out"; then
  cat "$work/out"
  printf 'exit code %d, want 1 and pieces of deleted pictures: this proof is blind\n' $status >&2
  exit 1
fi
grep '^FOUND' "$work/out"
