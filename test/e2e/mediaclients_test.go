//go:build unix

package e2e

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

// What curl shows of a number in place of an id, of conditions that do not hold, and of media types that nobody knows.
func TestCurlIsToldWhatIsWrong(t *testing.T) {
	term := devTerminal(t)
	const remove = `"$AVATARD_URL/zitadel.management.v1.ManagementService/RemoveHumanAvatar"`
	for _, row := range []struct{ title, script, answer string }{
		{"a number as an id", `curl -H 'Content-Type: application/json' -d '{"userId":150317214593155073}' ` + remove,
			`{"code":"invalid_argument","message":"…ids are texts…"}400`},
		{"a media type", `curl -H 'Content-Type: text/plain' -d x ` + remove, "the media type is none of a message; Accept-Post names those that are\n415"},
		{"a method", `curl ` + remove, "a procedure is called with POST\n405"},
		{"another picture", `curl -X DELETE -H 'If-Match: "another"' "$AVATARD_URL/management/v1/users/$USER_ALICE/avatar"`, `{"code":9,…}412`},
		{"any picture", `curl -X DELETE -H 'If-None-Match: *' "$AVATARD_URL/management/v1/users/$USER_ALICE/avatar"`, `{"code":9,…}412`},
		{"this picture", `tag=$(curl -o picture -D - "$AVATARD_URL/assets/v1/$ORG_ACME/users/$USER_ALICE/avatar" | tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p')
curl -X DELETE -H "If-Match: $tag" "$AVATARD_URL/management/v1/users/$USER_ALICE/avatar"`, `{"details":{…}}200`},
	} {
		t.Run(row.title, func(t *testing.T) {
			script := row.script + ` -w '%{http_code}' -H "Authorization: Bearer $TOKEN_ADMIN"`
			example{script: script, answer: row.answer}.check(t, term.run(t, script))
		})
	}
}
