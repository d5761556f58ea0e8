#!/usr/bin/env bash
# Builds the program as it is released - pure Go, stripped, without paths of the building machine - into bin/avatard,
# prints its size and fails when it is over the limit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

max_megabytes=45

CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/avatard .
bytes=$(wc -c <bin/avatard)
awk -v b="$bytes" -v max=$max_megabytes 'BEGIN { printf "bin/avatard: %.1f MB, limit %d MB\n", b / 1e6, max; exit b > max * 1e6 }'
