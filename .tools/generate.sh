#!/usr/bin/env bash
# Writes anew what is made from api/: gen/, and the descriptors with comments of which the reference is made. With --check it writes to a
# scratch folder and fails when something differs from it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.tools/install.sh buf
.tools/protos.sh

descriptors=server/reference/api.binpb
describe() { bin/buf build api --exclude-imports --as-file-descriptor-set -o "$1"; }

case ${1:-} in
  "")
    bin/buf generate
    describe "$descriptors"
    ;;
  --check)
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    bin/buf generate -o "$scratch"
    describe "$scratch/descriptors.binpb"
    if ! diff -ru gen "$scratch/gen" || ! cmp "$descriptors" "$scratch/descriptors.binpb"; then
      echo 'generate: gen/ and the descriptors are not what api/ gives; run `task generate` and commit the result' >&2
      exit 1
    fi
    ;;
  *) echo "generate.sh: unknown argument $1; known: --check" >&2; exit 2 ;;
esac
