#!/usr/bin/env bash
# Makes what is handed out of a version, the newest commit, in dist/: for each system an archive with the stripped program, its
# licence, README, deploy/, manual page and scripts of completion, and a bill of materials (CycloneDX); the module for `go get`; SHA256SUMS. The same commit and release
# of Go give the same bytes, anywhere. What is not committed is not in it. The version is the commit's tag, as Go writes it into the program.
#   release.sh           all systems, each built in two places; the second one without a cache for this machine's system
#   release.sh --short   this machine's system in both places, the types of the others; nothing stays
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED=0
systems=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64)
here=$(go env GOOS)/$(go env GOARCH)
short=
case ${1:-} in
  '') ;;
  --short) short=1 ;;
  *) echo "release.sh: unknown argument $1; known: --short" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
git clone -q . "$work/one"
git clone -q "$work/one" "$work/a/longer/path/two"
commit=$(git -C "$work/one" rev-parse HEAD) # that of this folder may be another one before this ends
when=$(git log -1 --format=%ct "$commit")

# build SOURCE SYSTEM FILE
build() { GOOS=${2%/*} GOARCH=${2#*/} go -C "$1" build -buildvcs=true -trimpath -ldflags='-s -w' -o "$3" .; }

build "$work/one" "$here" "$work/avatard"
version=$("$work/avatard" version | cut -d ' ' -f 2 | tr -d ,)
if [ "$version" = devel ]; then echo 'release.sh: the program does not tell its version' >&2; exit 1; fi

# pack SYSTEM FILE ARCHIVE: the same bytes at any time, by any account.
pack() {
  local name=avatard-$version-${1//\//-} program=avatard folder
  if [[ $1 == windows/* ]]; then program=avatard.exe; fi
  folder=$work/pack/$name
  rm -rf "$work/pack"
  mkdir -p "$folder/completion"
  install -m 755 "$2" "$folder/$program"
  cp -r "$work/one/LICENSE" "$work/one/README.md" "$work/one/CHANGELOG.md" "$work/one/deploy" "$folder"
  "$work/avatard" man >"$folder/avatard.1"
  for shell in bash zsh fish; do "$work/avatard" completion "$shell" >"$folder/completion/$shell"; done
  tar --create --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner --mode=u+w,go-w,a+rX --format=gnu -C "$work/pack" "$name" | gzip -n >"$3"
}

# twice SYSTEM [CACHE]: makes archive and bill of materials, and builds again elsewhere.
twice() {
  local name=avatard-$version-${1//\//-}
  build "$work/one" "$1" "$work/first"
  GOCACHE=${2:-$(go env GOCACHE)} build "$work/a/longer/path/two" "$1" "$work/second"
  cmp "$work/first" "$work/second" || { echo "release.sh: $1 is not the same when it is built again" >&2; exit 1; }
  pack "$1" "$work/first" "$dist/$name.tar.gz"
  pack "$1" "$work/second" "$work/again.tar.gz"
  cmp "$dist/$name.tar.gz" "$work/again.tar.gz"
  go run .tools/sbom/main.go "$work/first" >"$dist/$name.cdx.json"
  printf '%s: %s\n' "$name.tar.gz" "$(du -h "$dist/$name.tar.gz" | cut -f 1)"
}

if [ -n "$short" ]; then
  dist=$work/dist
  systems=("$here")
  go run .tools/typecheck/main.go linux/arm64 darwin/arm64 windows/amd64
else
  dist=$PWD/dist
  rm -rf "$dist"
fi
mkdir -p "$dist"
for system in "${systems[@]}"; do
  if [ -z "$short" ] && [ "$system" = "$here" ]; then twice "$system" "$work/cache"; else twice "$system"; fi
done
if [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  go -C .tools run ./modproxy -out "$dist/modules" -revision "$commit" -version "$version" >/dev/null
else
  go -C .tools run ./modproxy -out "$dist/modules" -revision "$commit" >/dev/null
fi
(cd "$dist" && find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS && sha256sum --check --quiet SHA256SUMS)

# What was packed is what was built.
tar -xzf "$dist/avatard-$version-${here//\//-}.tar.gz" -C "$work"
unpacked=$("$work/avatard-$version-${here//\//-}/avatard" version)
if [ "$unpacked" != "$("$work/avatard" version)" ]; then echo "release.sh: the archive's program is $unpacked" >&2; exit 1; fi
printf '%s: %s files\n' "$version" "$(wc -l <"$dist/SHA256SUMS")"
