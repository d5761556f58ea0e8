#!/bin/sh
# Makes the secrets of compose.yaml that are this machine's own, once, in deploy/compose/secrets/, and gives those of avatard to the user
# of its image: run it as root. The secret of avatard's client at the provider goes into secrets/client, before.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
cd secrets
chmod 700 . # it may have been there
[ -s client ] || { echo "write the client's secret into $PWD/client first" >&2; exit 1; }
chmod 600 client
if [ ! -e keys ]; then
  openssl rand -hex 24 >database-password
  printf 'postgres://avatard:%s@10.71.0.31/avatars?sslmode=disable\n' "$(cat database-password)" >database
  openssl rand -hex 24 >bucket
  printf 'ROOT_ACCESS_KEY=avatard\nROOT_SECRET_KEY=%s\n' "$(cat bucket)" >bucket.env
  printf 'first %s\n' "$(openssl rand -base64 32)" >keys
fi
if [ ! -e avatars.pem ]; then # for trying out: replace it by a certificate, its chain and the key
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout key -out certificate 2>/dev/null
  cat certificate key >avatars.pem
  rm certificate key
fi
chmod 644 avatars.pem database-password # of other images' users; the folder is its owner's alone
chown 65532:65532 client database bucket keys
