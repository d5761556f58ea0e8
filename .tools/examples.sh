#!/usr/bin/env bash
# Builds and runs everything in examples/ against "avatard dev", and checks that its generated code is what api/ gives.
# "examples.sh generate" writes that code anew; other arguments go to the program that runs them, such as -only shell,python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.tools/install.sh buf grpcurl
.tools/protos.sh

generate() { bin/buf generate --template examples/buf.gen.yaml --path api/zitadel "$@"; }

if [ "${1:-}" = generate ]; then
  generate
  exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
generate -o "$scratch"
for folder in connect-web grpc-web node; do
  diff -ru "$scratch/examples/$folder/src/gen" "examples/$folder/src/gen" || {
    echo 'examples: the generated code is not what api/ gives; run `.tools/examples.sh generate` and commit the result' >&2
    exit 1
  }
  [ $folder = node ] || npm ci --silent --prefix "examples/$folder" # its README does it
done
test -z "$(gofmt -l examples)"
go -C examples/go mod tidy -diff
go -C examples/go vet ./...
go run ./test/examples "$@"
