#!/usr/bin/env bash
# Runs the chosen linters (.golangci.yml) over all packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.tools/install.sh golangci-lint
bin/golangci-lint run --timeout 10m
