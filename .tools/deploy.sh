#!/usr/bin/env bash
# Checks what deploy/ holds, as far as it can be without a container runtime and without systemd running. Usage:
# .tools/deploy.sh [image|systemd|prometheus|kubernetes|compose|man]...; without names: all of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# settings FILE: whether avatard takes a configuration file as it stands, but for the folder of its secrets.
settings() {
  sed -E "s#/(etc/avatard/secrets|run/secrets|etc/avatard)/#$work/compose/secrets/#" "$1" >"$work/avatard.yaml"
  env -i "$work/avatard" config --config "$work/avatard.yaml" >/dev/null
}

check_image() { .tools/image.sh; }

check_systemd() {
  settings deploy/systemd/avatard.yaml
  # Program and manual page have to be where the unit says, so the unit that is looked at says where the program is.
  sed "s:/usr/bin/avatard:$work/avatard:; /^Documentation=/d" deploy/systemd/avatard.service >"$work/avatard.service"
  systemd-analyze verify "$work/avatard.service" 2>&1 | tee "$work/out"
  if grep -q avatard.service "$work/out"; then exit 1; fi # a key that is unknown is no failure of its own
  # Of 10; what is left are the network, local sockets and the files that everybody may read.
  systemd-analyze security --offline=true --threshold=15 "$work/avatard.service" >"$work/out" || { cat "$work/out"; exit 1; }
  # The place of the audit stream that the documentation names can be written in the unit.
  grep -qx "LogsDirectory=$(sed -nE 's#^`audit.stream: /var/log/([^/`]+)/.*#\1#p' docs/operating.md)" deploy/systemd/avatard.service
  systemd-sysusers --dry-run "$PWD/deploy/systemd/avatard.sysusers"
}

# Alerts: each one's syntax, that it fires when it should, and not when all is well. The dashboard's queries: their syntax; that the metrics and
# labels in all of them exist is a test of server/metrics.
check_prometheus() {
  promtool check rules deploy/prometheus/avatard.rules.yml >/dev/null
  promtool test rules deploy/prometheus/avatard.test.yml >"$work/out" || { cat "$work/out"; exit 1; }
  jq '{groups: [{name: "dashboard", rules: [.panels[].targets[]?.expr | gsub("\\$__rate_interval|\\$__range"; "5m") | {expr: ., record: "query"}]}]}' \
    deploy/grafana/avatard.json >"$work/dashboard.yml"
  promtool check rules --lint=none "$work/dashboard.yml"
}

# Kubernetes: see .tools/manifests; and avatard takes the settings in it.
check_kubernetes() {
  "$work/manifests" kubernetes deploy/kubernetes/avatard.yaml >"$work/settings.yaml"
  settings "$work/settings.yaml"
}

# Compose: the same, and the proxy's file is that of docs/proxies.md but for the servers behind it, which HAProxy takes.
check_compose() {
  "$work/manifests" compose "$work/compose/compose.yaml"
  settings deploy/compose/avatard.yaml
  diff <(sed '/^    server /d' test/e2e/testdata/proxies/haproxy.cfg) \
    <(sed '/^    server /d; /^    option httpchk /d; /^    default-server check /d' deploy/compose/haproxy.cfg)
  sed "s#/etc/haproxy/#$work/compose/secrets/#" deploy/compose/haproxy.cfg >"$work/haproxy.cfg"
  /usr/sbin/haproxy -c -q -f "$work/haproxy.cfg"
}

# The manual page, by a reader of such pages. It has no date where the program is of no commit.
check_man() {
  "$work/avatard" man >"$work/avatard.1"
  { mandoc -Tlint -Wwarning "$work/avatard.1" || true; } | { grep -v 'parse date' || true; } >"$work/out"
  if [ -s "$work/out" ]; then cat "$work/out"; exit 1; fi
}

# The secrets of deploy/compose, which take the place of all others.
cp -r deploy/compose "$work"
mkdir "$work/compose/secrets"
echo secret >"$work/compose/secrets/client"
cp "$work/compose/secrets/client" "$work/compose/secrets/secret"
chmod 755 "$work/compose/secrets"
chmod 644 "$work/compose/secrets/client"
"$work/compose/secrets.sh"
modes=$(cd "$work/compose" && stat -c '%a %n' secrets secrets/client secrets/keys | tr '\n' ' ')
[ "$modes" = '700 secrets 600 secrets/client 600 secrets/keys ' ] || { echo "secrets.sh leaves $modes" >&2; exit 1; }

go -C .tools/manifests build -o "$work/manifests" .
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$work/avatard" .
checks=("$@")
[ $# -gt 0 ] || checks=(image systemd prometheus kubernetes compose man)
for name in "${checks[@]}"; do
  case $name in
    image | systemd | prometheus | kubernetes | compose | man) ;;
    *) echo "deploy.sh: unknown check $name; known: image systemd prometheus kubernetes compose man" >&2; exit 2 ;;
  esac
  begin=$SECONDS
  "check_$name" # a command of its own: in a list of && and || its failures would not end it
  printf '%s: ok, %d s\n' "$name" $((SECONDS - begin))
done
