package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	zitadelv1 "example.org/avatard/gen/zitadel/v1"
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
	rows := []struct {
		title, message, detail string // the detail's type
		value                  []byte
		want                   string
	}{
		{"a type of ours", "M (I)", "zitadel.v1.ErrorDetail", []byte("\x0a\x01I\x12\x01M"),
			`"details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"I","message":"M"}]`},
		{"a type that is not linked in", "", "no.such.Type", []byte("\x0a\x01I"),
			`"details":[{"@type":"type.googleapis.com/no.such.Type","value":"CgFJ"}]`},
		{"a broken detail of ours", "", "zitadel.v1.ErrorDetail", []byte("\xff"),
			`"details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","value":"/w=="}]`},
		{"no details, no key", "M", "", nil, `{"code":5,"message":"M"}`},
	}
	for _, row := range rows {
		e := connect.NewError(connect.CodeNotFound, errors.New(row.message))
		if row.detail != "" {
			detail, err := connect.NewErrorDetail(&anypb.Any{TypeUrl: "type.googleapis.com/" + row.detail, Value: row.value})
			if err != nil {
				t.Fatal(err)
			}
			e.AddDetail(detail)
		}
		w := httptest.NewRecorder()
		writeRESTError(w, 404, e)
		if got := w.Body.String(); !strings.Contains(got, row.want) {
			t.Errorf("%s: %s, want %s in it", row.title, got, row.want)
		}
	}
}
