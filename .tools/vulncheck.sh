#!/usr/bin/env bash
# Asks the Go vulnerability database about what our code calls (.tools/vulncheck says what follows from it). The database
# is the one that GOVULNDB names, else Go's own, else its sources as a module. Exits with 75 (EX_TEMPFAIL) when none of
# them can be had, since nothing has been checked then.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.tools/install.sh govulncheck

database=${GOVULNDB:-https://vuln.go.dev}
case $database in
  http*)
    if ! curl -sSf -m 20 -o /dev/null "$database/index/db.json"; then
      database=
      if sources=$(go mod download -json golang.org/x/vulndb@latest); then
        dir=$(sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p' <<<"$sources")
        [ -d "$dir/data/osv" ] && database=file://$dir/data/osv
        sed -n 's/^.*"Version": "\(.*\)".*$/asked the sources of the database, \1/p' <<<"$sources"
      fi
    fi
    ;;
esac
if [ -z "$database" ]; then
  echo 'NOT ASKED: the vulnerability database cannot be had here; nothing is known of what is called' >&2
  exit 75
fi

go test .tools/vulncheck/main.go .tools/vulncheck/main_test.go
found=$(mktemp)
trap 'rm -f "$found"' EXIT
bin/govulncheck -db "$database" -format json ./... >"$found"
go run .tools/vulncheck/main.go <"$found"
