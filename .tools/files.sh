#!/usr/bin/env bash
# Checks tracked files as text: format, size, and nothing in them that belongs to one machine only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0

# report TITLE TEXT: a check passes when it found no text.
report() {
  [ -z "$2" ] && return
  printf '%s\n%s\n\n' "$1" "$2" >&2
  failed=1
}

# search PATTERN PATHSPEC...: tracked text lines that match, cut to a readable length. No match is no failure.
search() {
  local pattern=$1
  shift
  { git grep -nIE "$pattern" -- "$@" || [ $? -eq 1 ]; } | cut -c1-160
}

max_lines=400
tracked=$(git ls-files '*.go' ':!gen/')
go_files=()
while read -r file; do
  [ -f "$file" ] && go_files+=("$file")
done <<<"$tracked"

found=$(gofmt -l "${go_files[@]}")
report 'gofmt would change (run `task fmt`):' "$found"

found=$(awk -v max=$max_lines 'FNR == max + 1 { print FILENAME }' "${go_files[@]}")
report "Hand-written Go files over $max_lines lines (one idea a file):" "$found"

# A test that sleeps does so on the fake clock of testing/synctest.
found=$(comm -23 <(git grep -lF 'time.Sleep(' -- '*_test.go' | sort) <(git grep -lF '"testing/synctest"' -- '*_test.go' | sort))
report 'Tests that sleep without testing/synctest:' "$found"

# Home and work directories, module proxies, package mirrors.
found=$(search '/(home|Users|root|work)/[a-z.]|(proxy|sum)[.]golang[.]org|registry[.]npmjs[.]org|deb[.]debian[.]org' . ':!.tools/files.sh')
report 'Paths or hosts of one machine in tracked text:' "$found"

found=$(search '\b(FIXME|XXX|TODO)\b' . ':!.tools/files.sh' ':!LICENSE' ':!*.sum')
report 'Unfinished words:' "$found"

found=$(search '[[:space:]]+$' . ':!gen/' ':!*.sum' ':!LICENSE' ':!*.md' ':!**/testdata/**')
report 'Spaces at a line end:' "$found"

exit $failed
