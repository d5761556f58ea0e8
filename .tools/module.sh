#!/usr/bin/env bash
# Gives the module another path: module.sh PATH, for example module.sh git.company.example/team/avatard. The path stands in go.mod, in
# imports, in the options of .proto files and of their generators, and in the rules of the linter; this changes all of them and writes
# what is generated anew. Programs that import the old path have to be changed by their owners.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

new=${1:?usage: module.sh PATH}
old=$(go list -m)
[[ $new =~ ^[a-z0-9.-]+\.[a-z0-9.-]+(/[A-Za-z0-9._~-]+)+$ ]] || { echo "module.sh: $new is not a path like host.name/folder" >&2; exit 2; }
[ "$new" != "$old" ] || exit 0

folders='api|authz|gen|internal|server|storage|test|tools|web'
git ls-files -z -- '*.go' '*.proto' '*.mod' '*.md' '*.sh' '*.yml' '*.yaml' .golangci.yml | while IFS= read -r -d '' file; do
  [ -f "$file" ] || continue
  sed -i -E "s#(^|[^A-Za-z0-9_./-])${old//./\\.}/($folders)\\b#\\1$new/\\2#g" "$file"
done
# Where the path stands alone.
sed -i "s#^module ${old//./\\.}\$#module $new#" go.mod
git ls-files -z -- .golangci.yml 'examples/*' test/e2e/library_test.go |
  xargs -0r sed -i -E "s#(^|[^A-Za-z0-9_./-])${old//./\\.}([^A-Za-z0-9_/-]|\$)#\\1$new\\2#g"
.tools/generate.sh
gofmt -w $(git ls-files '*.go')
go build ./...
