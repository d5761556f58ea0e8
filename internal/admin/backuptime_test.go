package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// recordedDeadlines counts the time limits that an answer is given.
type recordedDeadlines struct {
	body        bytes.Buffer
	read, write int
}

func (d *recordedDeadlines) Header() http.Header                { return http.Header{} }
func (d *recordedDeadlines) WriteHeader(int)                    {}
func (d *recordedDeadlines) Write(p []byte) (int, error)        { return d.body.Write(p) }
func (d *recordedDeadlines) SetReadDeadline(t time.Time) error  { d.read++; return nil }
func (d *recordedDeadlines) SetWriteDeadline(t time.Time) error { d.write++; return nil }

// A backup may take longer than any other call: the limits of the server are lifted for reading and set anew for each write.
func TestBackupOutlivesTheServersTimeLimits(t *testing.T) {
	const writes = 4
	store := oddStore{make: func(_ context.Context, w io.Writer) error {
		for range writes {
			if _, err := fmt.Fprint(w, "x"); err != nil {
				return err
			}
		}
		return nil
	}}
	a := &Server{Store: store, Logger: slog.New(slog.DiscardHandler)}
	rec := &recordedDeadlines{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/backups", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	a.handler().ServeHTTP(rec, req)
	if rec.body.String() != strings.Repeat("x", writes) || rec.read != 1 || rec.write != writes {
		t.Errorf("answered %q with %d limits for reading and %d for writing, want %d", &rec.body, rec.read, rec.write, writes)
	}
}
