#!/usr/bin/env bash
# Lints api/ and compares it with api/baseline.binpb, the descriptors of the last release: a change that would break
# a client in binary or in JSON fails. With --baseline it writes that file anew instead; do so with each release.
#
# The baseline holds our own files only. A comparison needs their imports too, so those are put before it here: two
# serialised descriptor sets one after the other are the serialised form of both (protobuf encoding, "Last One Wins").
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
.tools/install.sh buf
.tools/protos.sh
buf=$PWD/bin/buf

case ${1:-} in
  "") ;;
  --baseline)
    "$buf" build api --as-file-descriptor-set --exclude-imports --exclude-source-info -o api/baseline.binpb
    exit
    ;;
  *) echo "api.sh: unknown argument $1; known: --baseline" >&2; exit 2 ;;
esac

"$buf" lint

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$buf" build .protos --as-file-descriptor-set --exclude-source-info -o "$scratch/imports.binpb"
cat "$scratch/imports.binpb" api/baseline.binpb >"$scratch/against.binpb"
"$buf" breaking api --against "$scratch/against.binpb"

# Control: the comparison above means something only if it can fail. A renumbered field must be found.
cp -r api .protos buf.yaml "$scratch"
sed -i 's/string resource_owner = 4;/string resource_owner = 5;/' "$scratch/api/zitadel/v1/object.proto"
if cmp -s api/zitadel/v1/object.proto "$scratch/api/zitadel/v1/object.proto"; then
  echo 'api: the control no longer changes anything; mend it in .tools/api.sh' >&2
  exit 1
fi
if (cd "$scratch" && "$buf" breaking api --against against.binpb) >/dev/null 2>&1; then
  echo 'api: a renumbered field was not found, so the comparison proves nothing' >&2
  exit 1
fi
