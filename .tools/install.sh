#!/usr/bin/env bash
# Builds the pinned programs that the checks and tests need into bin/. Usage: .tools/install.sh [buf|connectconformance|golangci-lint|govulncheck|grpcurl|versitygw]...
# Without names: all of them. A program that is there in the pinned version costs a second or less.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p bin

conformance_version=v1.0.7
grpcurl_version=v1.9.4
govulncheck_version=v1.9.0
versitygw_version=v1.8.0

for name in "${@:-all}"; do
  case $name in
    all) "$0" buf connectconformance golangci-lint govulncheck grpcurl versitygw ;;
    buf) go -C .tools build -o ../bin/buf github.com/bufbuild/buf/cmd/buf ;;
    connectconformance) # and, in a .binpb beside it, the descriptors of its messages from the same module
      if [ ! -f bin/connectconformance.binpb ] ||
        ! go version -m bin/connectconformance 2>/dev/null | grep -q "conformance[[:space:]]$conformance_version"; then
        "$0" buf
        GOBIN=$PWD/bin go install "connectrpc.com/conformance/cmd/connectconformance@$conformance_version"
        module=$(go mod download -json "connectrpc.com/conformance@$conformance_version" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')
        bin/buf build "$module/proto" --as-file-descriptor-set -o bin/connectconformance.binpb
      fi
      ;;
    golangci-lint)
      go -C .tools/golangci build -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
      ;;
    govulncheck)
      if ! go version -m bin/govulncheck 2>/dev/null | grep -q "vuln[[:space:]]$govulncheck_version"; then
        GOBIN=$PWD/bin go install "golang.org/x/vuln/cmd/govulncheck@$govulncheck_version"
      fi
      ;;
    grpcurl)
      if ! go version -m bin/grpcurl 2>/dev/null | grep -q "grpcurl[[:space:]]$grpcurl_version"; then
        GOBIN=$PWD/bin go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_version"
      fi
      ;;
    versitygw)
      if ! go version -m bin/versitygw 2>/dev/null | grep -q "versitygw[[:space:]]$versitygw_version"; then
        GOBIN=$PWD/bin go install "github.com/versity/versitygw/cmd/versitygw@$versitygw_version"
      fi
      ;;
    *) echo "install.sh: unknown program $name; known: buf connectconformance golangci-lint govulncheck grpcurl versitygw" >&2; exit 2 ;;
  esac
done
