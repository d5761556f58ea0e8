#!/usr/bin/env bash
# Runs the tests again under the race detector where goroutines meet: the HTTP surface, the introspection cache, the
# engines. -short leaves out the long churn, which the plain run has done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CGO_ENABLED=1 go test -race -short -timeout 10m ./authz/... ./server/... ./storage/...
