#!/bin/sh
# Deletes the avatar of a user, by curl or by grpcurl: delete.sh rest|grpc USER
# Reads AVATARD_URL or GRPC_ADDRESS, TOKEN and, if the user is not in the organisation of the token, ORG from the environment.
# The token reaches the programs on standard input and in the environment: other people of the machine see arguments.
set -eu

form=${1:?usage: delete.sh rest|grpc USER} user=${2:?usage: delete.sh rest|grpc USER}
: "${TOKEN:?is not set}"
case $user in
  *[!A-Za-z0-9._-]*) echo "delete.sh: $user needs quoting in a path and in JSON; see ../python" >&2; exit 2 ;;
esac

case $form in
  rest)
    # --retry takes up a 503, when Retry-After says so; an erasure goes on where it stopped.
    printf 'Authorization: Bearer %s\n%s' "$TOKEN" "${ORG:+x-zitadel-orgid: $ORG
}" | curl --silent --show-error --fail-with-body --max-time 120 --retry 5 --header @- \
      --request DELETE "${AVATARD_URL:?is not set}/management/v1/users/$user/avatar"
    echo
    ;;
  grpc)
    export TOKEN
    plaintext=-plaintext # with TLS: no such line, and HOST:PORT of the server
    grpcurl $plaintext -max-time 30 -expand-headers -H 'Authorization: Bearer ${TOKEN}' ${ORG:+-H "x-zitadel-orgid: $ORG"} \
      -d "{\"userId\":\"$user\"}" "${GRPC_ADDRESS:?is not set}" zitadel.management.v1.ManagementService/RemoveHumanAvatar
    ;;
  *) echo "delete.sh: unknown form $form; known: rest grpc" >&2; exit 2 ;;
esac
