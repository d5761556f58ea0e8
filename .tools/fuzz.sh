#!/usr/bin/env bash
# Fuzzes every target of the repository, one after the other. Usage: .tools/fuzz.sh [TIME FOR EACH, such as 30s; default 10m]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

git grep -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | while IFS=: read -r file name; do
  name=${name#func }
  echo "== $name ($(dirname "$file"))"
  go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "${1:-10m}" </dev/null
done
