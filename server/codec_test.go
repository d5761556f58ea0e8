package server

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	zitadelv1 "avatard/gen/zitadel/v1"
)

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestJSONIsCompact(t *testing.T) {
	text, err := jsonCodec{}.Marshal(&zitadelv1.ObjectDetails{Sequence: 2, ResourceOwner: "a, b: c",
		ChangeDate: &timestamppb.Timestamp{Seconds: 1683885731, Nanos: 100_000_000}})
	want := `{"sequence":"2","changeDate":"2023-05-12T10:02:11.100Z","resourceOwner":"a, b: c"}`
	if err != nil || string(text) != want {
		t.Errorf("Marshal = %s, %v; want %s", text, err, want)
	}
}

func TestRESTDetails(t *testing.T) {
	rows := []struct{ title, in, want string }{
		{"a type of ours", `{"code":"not_found","message":"M (I)","details":[{"type":"zitadel.v1.ErrorDetail","value":"CgFJEgFN"}]}`,
			`"details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"I","message":"M"}]`},
		{"a type that is not linked in", `{"code":"not_found","details":[{"type":"no.such.Type","value":"CgFJ"}]}`,
			`"details":[{"@type":"type.googleapis.com/no.such.Type","value":"CgFJ"}]`},
		{"a broken detail of ours", `{"code":"not_found","details":[{"type":"zitadel.v1.ErrorDetail","value":"/w"}]}`,
			`"details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","value":"/w=="}]`},
		{"no details, no key", `{"code":"not_found","message":"M"}`, `{"code":5,"message":"M"}`},
	}
	for _, row := range rows {
		body, err := restErrorFrom([]byte(row.in))
		if err != nil {
			t.Errorf("%s: %v", row.title, err)
			continue
		}
		rec := &recorder{header: make(map[string][]string)}
		writeRESTError(rec, 404, body)
		if got := rec.body.String(); !strings.Contains(got, row.want) {
			t.Errorf("%s: %s, want %s in it", row.title, got, row.want)
		}
	}
}
