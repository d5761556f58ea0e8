//go:build unix

package main

import "testing"

// curl, which sends a media type as it is told.
func TestCurlSpellsMediaTypes(t *testing.T) {
	term := devTerminal(t)
	for _, row := range []struct{ title, script string }{
		{"Connect", `curl -H 'Content-Type: Application/JSON; charset=UTF-8' -d "{\"userId\":\"$USER_ALICE\"}"`},
		{"Connect, compressed", `printf '{"userId":"%s"}' "$USER_ALICE" | gzip | curl -H 'Content-Type: application/json;charset=utf8' -H 'Content-Encoding: X-GZIP' --data-binary @-`},
		{"gRPC-Web", `(printf '\0\0\0\0\024\012\022%s' "$USER_ALICE") | curl -o answer -H 'Content-Type: application/grpc-web+proto; charset=utf-8' --data-binary @-`},
		{"gRPC", `(printf '\0\0\0\0\024\012\022%s' "$USER_ALICE") | curl -o answer --http2-prior-knowledge -H 'Content-Type: application/grpc; charset=utf-8' -H 'TE: trailers' --data-binary @-`},
	} {
		t.Run(row.title, func(t *testing.T) {
			script := row.script + ` -w '%{http_code} %{content_type}' -H "Authorization: Bearer $TOKEN_ADMIN" "$AVATARD_URL/zitadel.management.v1.ManagementService/RemoveHumanAvatar"`
			want := map[string]string{"Connect": `{"details":…}200 application/json; charset=utf-8`, "Connect, compressed": `{"details":…}200 application/json; charset=utf-8`,
				"gRPC-Web": "200 application/grpc-web+proto", "gRPC": "200 application/grpc"}[row.title]
			example{script: script, answer: want}.check(t, term.run(t, script))
		})
	}
}
