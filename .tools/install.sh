#!/usr/bin/env bash
# Builds the pinned programs that the checks and tests need into bin/. Usage: .tools/install.sh [buf|golangci-lint|grpcurl]...
# Without names: all of them. A program that is there in the pinned version costs a second or less.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p bin

grpcurl_version=v1.9.4

for name in "${@:-all}"; do
  case $name in
    all) "$0" buf golangci-lint grpcurl ;;
    buf) go -C .tools build -o ../bin/buf github.com/bufbuild/buf/cmd/buf ;;
    golangci-lint)
      go -C .tools/golangci build -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
      ;;
    grpcurl)
      if ! go version -m bin/grpcurl 2>/dev/null | grep -q "grpcurl[[:space:]]$grpcurl_version"; then
        GOBIN=$PWD/bin go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_version"
      fi
      ;;
    *) echo "install.sh: unknown program $name; known: buf golangci-lint grpcurl" >&2; exit 2 ;;
  esac
done
