#!/usr/bin/env bash
# Writes gen/ anew from api/. With --check it writes to a scratch folder and fails when gen/ differs from it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.tools/install.sh buf
.tools/protos.sh

case ${1:-} in
  "") bin/buf generate ;;
  --check)
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    bin/buf generate -o "$scratch"
    if ! diff -ru gen "$scratch/gen"; then
      echo 'generate: gen/ is not what api/ gives; run `task generate` and commit the result' >&2
      exit 1
    fi
    ;;
  *) echo "generate.sh: unknown argument $1; known: --check" >&2; exit 2 ;;
esac
