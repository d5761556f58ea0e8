#!/usr/bin/env bash
# Carries out deploy/image/Dockerfile without Docker and starts the result as a container runtime does: in a root of its own
# that is read-only, as the image's user, without capabilities, with a volume for the data. Against a provider (avatard dev)
# it asks for health, uploads, reads, deletes, and ends it with SIGTERM. An instruction that this script does not know is an
# error, so what is tested is what the file says. Needs root, for the mounts, which nobody else sees.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
dockerfile=deploy/image/Dockerfile

fail() { echo "image.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "mounting needs root"

work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true # 137
  done
  rm -rf "$work"
}
trap cleanup EXIT
root=$work/root out=$work/out
mkdir -p "$root" "$out"

# from PATH: where a path of the build stage is on this machine.
from() {
  case $1 in
    /src/*) printf '%s\n' "${1#/src/}" ;;
    /out/*) printf '%s\n' "$out/${1#/out/}" ;;
    *) printf '%s\n' "$1" ;;
  esac
}

# copy ARGUMENTS: a COPY of the last stage. Docker makes missing folders, and everything root's but for --chown.
copy() {
  local owner=0:0 mode= source target
  while [[ $1 == --* ]]; do
    case $1 in
      --from=build) ;;
      --chown=*) owner=${1#*=} ;;
      --chmod=*) mode=${1#*=} ;;
      *) fail "COPY $1: unknown" ;;
    esac
    shift
  done
  source=$(from "$1") target=$root$2
  mkdir -p "$(dirname "$target")"
  if [ -d "$source" ]; then cp -rT "$source" "$target"; else cp "$source" "$target"; fi
  chown -R "$owner" "$target"
  if [ -n "$mode" ]; then chmod -R "$mode" "$target"; fi
}

# words JSON: the strings of a list, a line each.
words() { grep -oE '"[^"]*"' <<<"$1" | tr -d '"'; }

stage=0 environment=() user='' volume='' entrypoint=() command=()
while read -r instruction rest; do
  case $stage,$instruction in
    *,''|*,'#'*) ;;
    *,FROM) stage=$((stage + 1)); [[ $stage,$rest == 1,golang:*\ AS\ build || $stage,$rest == 2,scratch ]] || fail "FROM $rest: unknown" ;;
    1,WORKDIR) [ "$rest" = /src ] || fail "WORKDIR $rest: unknown" ;;
    1,COPY) [ "$rest" = '. .' ] || fail "COPY $rest: unknown" ;;
    1,RUN) sh -euc "${rest//\/out\//$out/}" ;;
    2,COPY) read -ra arguments <<<"$rest"; copy "${arguments[@]}" ;;
    2,ENV) environment+=("$rest") ;;
    2,USER) user=$rest ;;
    2,VOLUME) volume=$rest ;;
    2,ENTRYPOINT) mapfile -t entrypoint < <(words "$rest") ;;
    2,CMD) mapfile -t command < <(words "$rest") ;;
    2,EXPOSE) [[ " ${environment[*]} " == *" AVATARD_LISTEN=:$rest "* ]] || fail "EXPOSE $rest is not where it listens" ;;
    *) fail "$instruction in stage $stage: unknown" ;;
  esac
done <"$dockerfile"
[[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || fail "the user is $user, want numbers, not root's"
grep -q 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt" || fail 'no authorities'

# A new volume is a copy of what the image has in its place.
cp -a "$root$volume" "$work/volume"
[ "$(stat -c '%u:%g %a' "$work/volume")" = "$user 700" ] || fail "the volume is $(stat -c '%u:%g %a' "$work/volume")"

# container NAME=VALUE... -- COMMAND...: becomes a process in the image, with these variables beside those of the image.
container() {
  local settings=("${environment[@]}")
  while [ "$1" != -- ]; do settings+=("$1"); shift; done
  shift
  exec unshare --mount --propagation private sh -euc '
    root=$1 volume=$2 place=$3
    shift 3
    mount --bind "$root" "$root"
    mount --bind "$volume" "$root$place"
    mount -o remount,bind,ro,nosuid,nodev "$root"
    cd /
    exec env -i "$@"
  ' sh "$root" "$work/volume" "$volume" "${settings[@]}" "$(command -v setpriv)" --no-new-privs \
    "$(command -v chroot)" --userspec="$user" --groups= "$root" "${entrypoint[@]}" "$@"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local tries=$(($1 * 10)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { cat "$work"/*.log >&2; fail "$what"; }
    sleep 0.1
  done
}

# A provider, with people.
(exec "$out/avatard" dev --listen 127.0.0.1:0 --data "$work/dev" --env-file "$work/env" >"$work/dev.log" 2>&1) &
pids+=($!)
wait_for 60 'the provider does not start' test -s "$work/env"
# shellcheck disable=SC1091
. "$work/env"

provider=(AVATARD_ISSUER="$AVATARD_ISSUER" AVATARD_AUDIENCE="$AVATARD_AUDIENCE" AVATARD_CLIENT_ID="$AVATARD_CLIENT_ID"
  AVATARD_CLIENT_SECRET="$AVATARD_CLIENT_SECRET" AVATARD_ORGANISATIONS="$ORG_ACME" AVATARD_LISTEN=127.0.0.1:0)
(container "${provider[@]}" -- config --check) >"$work/config.log" 2>&1 || { cat "$work/config.log"; fail 'config --check'; }

(container "${provider[@]}" -- "${command[@]}") >"$work/serve.log" 2>&1 &
server=$!
pids+=($server)
wait_for 60 'the server does not start' grep -q 'msg=serving' "$work/serve.log"
url=http://$(sed -n 's/.*msg=serving.* address=\([^ ]*\).*/\1/p' "$work/serve.log")

# What the process is, as the kernel tells.
status=$(cat "/proc/$server/status")
grep -qP "^Uid:\t${user%:*}\t${user%:*}\t${user%:*}\t" <<<"$status" || fail "another user: $(grep ^Uid <<<"$status")"
grep -qP '^CapEff:\t0+$' <<<"$status" || fail "capabilities: $(grep ^CapEff <<<"$status")"
grep -qP '^NoNewPrivs:\t1$' <<<"$status" || fail 'it can gain rights'
[ "$(readlink "/proc/$server/root")" = "$root" ] || fail 'it is in another root'
grep -qE '^([^ ]+ ){4}/ ro,' "/proc/$server/mountinfo" || fail 'its root can be written'

# call STATUS ARGUMENTS...: curl, and whether the answer has that status.
call() {
  local want=$1 got
  shift
  got=$(curl -sS -o "$work/answer" -w '%{http_code}' "$@")
  [ "$got" = "$want" ] || { cat "$work/answer" "$work/serve.log" >&2; fail "$* is $got, want $want"; }
}

picture=$url/assets/v1/users/me/avatar alice=(-H "Authorization: Bearer $TOKEN_ALICE")
call 200 "${alice[@]}" "$AVATARD_URL/assets/v1/users/me/avatar" # alice's picture at the provider's own server
mv "$work/answer" "$work/picture"
call 200 "$url/healthz"
call 200 "$url/readyz"
call 404 "${alice[@]}" "$picture"
call 200 "${alice[@]}" -F "file=@$work/picture" "$picture"
call 200 "${alice[@]}" "$picture"
call 200 -X DELETE -H "Authorization: Bearer $TOKEN_MANAGER" "$url/management/v1/users/$USER_ALICE/avatar"
call 404 "${alice[@]}" "$picture"
call 200 "$url/readyz"

kill -TERM $server
code=0
wait $server || code=$?
pids=("${pids[0]}")
[ $code = 0 ] || { cat "$work/serve.log" >&2; fail "SIGTERM ends it with $code"; }
level=$(grep -c 'level=ERROR' "$work/serve.log" || true)
[ "$level" = 0 ] || { cat "$work/serve.log" >&2; fail 'it logs an error'; }
printf 'the image: %s files, %s, started as %s on a read-only root\n' "$(find "$root" -type f | wc -l)" "$(du -sh "$root" | cut -f1)" "$user"
