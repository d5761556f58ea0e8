package bulkimport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"testing"

	"example.org/avatard/internal/client"
)

// Whatever ZITADEL answers for one picture concerns that picture alone; only where nobody answers does the import end.
func TestPictureThatZitadelDoesNotGive(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(path.Base(r.URL.Path))
		if status == http.StatusOK {
			w.Header().Set("Content-Length", "10") // and it breaks off before
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("12345"))
	}))
	defer srv.Close()
	z := &Zitadel{URL: srv.URL, HTTP: client.NewHTTPClient(), Limit: 100}
	for _, status := range []int{200, 302, 401, 403, 404, 429, 500, 502, 503} {
		_, err := z.read(t.Context(), "/assets/v1/"+strconv.Itoa(status))
		if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Reason != Failed {
			t.Errorf("%d ends the import: %v", status, err)
		}
	}
	srv.Close()
	if _, err := z.read(t.Context(), "/assets/v1/200"); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestPicturesBelow(t *testing.T) {
	for address, want := range map[string]string{
		"https://z.example/assets/v1/acme/users/ann/avatar?v=1": "/assets/v1/acme/users/ann/avatar?v=1",
		"/assets/v1/acme/a%20b":                                 "/assets/v1/acme/a%20b",
		"https://z.example/assets/v1/acme/../globex/x":          "",
		"https://z.example/assets/v1/acme/%2e%2e/globex/x":      "",
		"https://z.example/assets/v1/acme/.%2E%2fglobex/x":      "",
		"https://z.example/assets/v1/globex/x":                  "",
		"https://z.example/x":                                   "",
	} {
		if got, err := pictureBelow("acme", address); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v, want %q", address, got, err, want)
		}
	}
}
