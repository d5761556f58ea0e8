package server

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"example.org/avatard/server/picture"
)

// receive reads a form whose parts are divided by "b".
func receive(t *testing.T, body []byte) ([]byte, error) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	data, err := readUpload(httptest.NewRecorder(), req, picture.DefaultUploadBytes)
	if f, ok := errors.AsType[*apiError](err); err != nil && (!ok || f.reason != invalidRequest && f.reason != uploadTooLarge) {
		t.Fatalf("a form is answered with %v", err)
	}
	if len(data) > picture.DefaultUploadBytes || err != nil && data != nil {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	return data, err
}

// FuzzUploadForm reads any body as a form: what comes out was in it. A form made of any field and any picture gives that
// picture, and one cut off gives that or an error, never a part of it.
func FuzzUploadForm(f *testing.F) {
	part := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n"
	for _, raw := range []string{
		"", "--b--", "--b--\r\n", part, part + "\r\ndata\r\n--b--\r\n", part + "\r\ndata\r\n--b", part + "\r\n\r\n--b\r\n", strings.ReplaceAll(part+"\r\ndata\r\n--b--", "\r\n", "\n"),
		"preamble\r\n" + part + "\r\n--b--\r\nepilogue", part + "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n--b--",
		part + "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--", part + strings.Repeat("X: y\r\n", 100) + "\r\nz\r\n--b--",
		strings.Replace(part, "file", "fi\\\"le", 1) + "\r\nz\r\n--b--", strings.Replace(part, `name="file"; `, "name*=utf-8''file; ", 1) + "\r\nz\r\n--b--", strings.Repeat("--b\r\n\r\n\r\n", 9),
	} {
		f.Add([]byte(raw), []byte(raw), "other", 5)
	}
	f.Add([]byte(nil), bytes.Repeat([]byte("\r\n--b"), 200), "file", -1)
	f.Fuzz(func(t *testing.T, raw, data []byte, field string, cut int) {
		got, err := receive(t, raw)
		if err == nil && !bytes.Contains(raw, got) && !bytes.Contains(bytes.ToLower(raw), []byte("quoted-printable")) {
			t.Fatalf("%q came out of %q", got, raw)
		}

		if bytes.Contains(data, []byte("--b")) || strings.ContainsFunc(field, unicode.IsControl) || len(field) > 1000 {
			return // no form with this boundary holds it, or no client sends such a name
		}
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		_ = w.SetBoundary("b")
		_ = w.WriteField(field, "before")
		file, _ := w.CreateFormFile(uploadField, "name")
		_, _ = file.Write(data)
		_ = w.WriteField("after", "after")
		_ = w.Close()
		want := data
		if field == uploadField {
			want = []byte("before")
		}
		form := body.Bytes()
		if got, err := receive(t, form); err != nil && len(data) <= picture.DefaultUploadBytes || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("field %q and a file: %q, %v; want %q", field, got, err, want)
		}
		form = form[:min(max(cut, 0), len(form))]
		if got, err := receive(t, form); err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%q, which is cut off: %q; want %q or an error", form, got, want)
		}
	})
}
