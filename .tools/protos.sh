#!/usr/bin/env bash
# Fills .protos/ with the annotations that our .proto files import, from the Go module cache: buf needs no registry
# then. They are other people's files, so git ignores them. The versions are pinned in .tools/go.mod.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

take() { # take MODULE FOLDER FILE...
  local module=$1 folder=$2 dir file
  shift 2
  go -C .tools mod download "$module"
  dir=$(go -C .tools list -m -f '{{.Dir}}' "$module")
  for file in "$@"; do
    install -D -m 644 "$dir/$folder/$file" ".protos/$file"
  done
}

take github.com/bufbuild/protovalidate proto/protovalidate buf/validate/validate.proto
take github.com/grpc-ecosystem/grpc-gateway third_party/googleapis google/api/annotations.proto google/api/http.proto
