package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
)

// What a server that does not write whole answers is taken for.
func TestOddAnswers(t *testing.T) {
	const (
		done      = `{"details":{"sequence":"7","resourceOwner":"acme"}}`
		refused   = `{"code":5,"message":"none (USER-35N8f)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"USER-35N8f","message":"none"}]}`
		inWords   = `{"code":"unavailable","message":"later"}`
		unknown   = "an answer of somebody else"
		something = "whatever"
	)
	for _, row := range []struct {
		title, method string
		status        int
		body          string
		cut           bool
		want          Answer
		sequence      uint64
		fails         bool
	}{
		{title: "a change", method: "DELETE", status: 200, body: done, sequence: 7},
		{title: "a change whose body is cut off is done all the same", method: "DELETE", status: 200, body: done, cut: true},
		{title: "a picture that is cut off is none", method: "GET", status: 200, body: something, cut: true, fails: true},
		{title: "an error", method: "DELETE", status: 404, body: refused, want: Answer{Code: connect.CodeNotFound, Message: "none (USER-35N8f)"}},
		{title: "an error whose code is a word", method: "POST", status: 503, body: inWords, want: Answer{Code: connect.CodeUnavailable, Message: "later"}},
		{title: "no error of the API", method: "DELETE", status: 502, body: unknown, fails: true},
		{title: "nothing", method: "DELETE", status: 503, fails: true},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if row.cut {
				w.Header().Set("Content-Length", "1000")
			}
			w.WriteHeader(row.status)
			_, _ = io.WriteString(w, row.body)
		}))
		c := New(Config{URL: srv.URL})
		got := c.Do(t.Context(), row.method, "/", Bearer("x"), nil)
		acknowledged := !row.fails && row.want.Code == 0
		if (got.Err != nil) != row.fails || got.Code != row.want.Code || got.Message != row.want.Message ||
			got.Acknowledged() != acknowledged || got.Status != row.status {
			t.Errorf("%s: %+v", row.title, got)
		}
		if !row.cut && got.Sequence() != row.sequence {
			t.Errorf("%s: sequence %d, want %d", row.title, got.Sequence(), row.sequence)
		}
		if strings.Contains(row.body, "@type") != (got.Detail.GetId() == "USER-35N8f") {
			t.Errorf("%s: detail %v", row.title, got.Detail)
		}
		if !strings.Contains(got.Raw, row.body) {
			t.Errorf("%s: %q arrived, want %q in it", row.title, got.Raw, row.body)
		}
		srv.Close()
		for _, form := range Forms() {
			if got := c.RemoveOwn(t.Context(), form, nil); got.Err == nil || got.Acknowledged() {
				t.Errorf("%s: a server that is gone answers %v", form, got)
			}
		}
	}
}

func TestDecodeBase64Pieces(t *testing.T) {
	for text, want := range map[string]string{"": "", "YQ==": "a", "YQ==Yg==": "ab", "YWJjYWI=Yw==": "abcabc", "YWJj": "abc"} {
		if got, err := DecodeBase64Pieces([]byte(text)); string(got) != want || err != nil {
			t.Errorf("%q = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"YQ", "YQ=", "=", "a b=", "YQ==YQ"} {
		if got, err := DecodeBase64Pieces([]byte(text)); err == nil {
			t.Errorf("%q = %q, want an error", text, got)
		}
	}
}
