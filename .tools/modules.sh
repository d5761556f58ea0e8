#!/usr/bin/env bash
# Checks the module files: checksums, nothing missing and nothing left over, and a line in docs/dependencies.md for each
# direct requirement.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go mod verify
go mod tidy -diff

missing=
direct=$(go list -m -f '{{if not (or .Main .Indirect)}}{{.Path}}{{end}}' all)
while read -r module; do
  grep -qF "\`$module\`" docs/dependencies.md || missing+="  $module"$'\n'
done <<<"$direct"
if [ -n "$missing" ]; then
  printf 'docs/dependencies.md has no line for:\n%s' "$missing" >&2
  exit 1
fi
