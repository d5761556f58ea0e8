#!/usr/bin/env bash
# Runs the tests again under the race detector where goroutines meet: the HTTP surface, the introspection cache, the
# engines. What one goroutine does alone (migrations, restores, the control of the churn), and most of what processes do that are killed at every
# file operation or lose power there, is left out: it takes minutes and finds nothing here. So are allocations, which the detector
# changes. Files fail here at each place (TestEveryFault, TestKilledBetweenAnyTwoSteps), which go test without the detector samples.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CGO_ENABLED=1 go test -race -timeout 15m -skip '^Test(Migrate.*|Restore.*|KilledInARestore|KilledWhile.*|KilledDuringMoves|PowerCut.*|PruningEveryFault|ControlSQLiteKeepsPieces|KeyHashAllocations)$' ./authz/... ./server/... ./storage/...
