#!/usr/bin/env bash
# Runs the tests again under the race detector where goroutines meet: the HTTP surface, the introspection cache, the
# engines. What one goroutine does alone (migrations, restores, the control of the churn), and most of what processes do that are killed at every
# file operation or lose power there, is left out: it takes minutes and finds nothing here. So are allocations, which the detector
# changes. Files fail here at each place (TestEveryFault, TestKilledBetweenAnyTwoSteps), which go test without the detector samples.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

skipped='^Test(Migrate.*|Restore.*|KilledInARestore|KilledWhile.*|KilledDuringMoves|PowerCut.*|PruningEveryFault|ControlSQLiteKeepsPieces|KeyHashAllocations)$'

race() { CGO_ENABLED=1 go test -race -timeout 15m -skip "$skipped" "$@"; }

mapfile -t packages < <(go list ./authz/... ./server/... ./storage/... | grep -v '/storage/embedded$')
status=0
race "${packages[@]}" || status=1
# The tests of the embedded engine run one behind the other. They are shared out, so that both cores have work.
{ race -run '^(Test|Example)E' ./storage/embedded && race -run '^(Test|Example)[F-K]' ./storage/embedded; } &
first=$!
race -run '^(Test|Example)[^E-K]' ./storage/embedded || status=1
wait "$first" || status=1
exit $status
