package admin

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// recordedDeadlines counts the time limits that an answer is given.
type recordedDeadlines struct {
	body        bytes.Buffer
	read, write int
	writes      int
}

func (d *recordedDeadlines) Header() http.Header                { return http.Header{} }
func (d *recordedDeadlines) WriteHeader(int)                    {}
func (d *recordedDeadlines) Write(p []byte) (int, error)        { d.writes++; return d.body.Write(p) }
func (d *recordedDeadlines) SetReadDeadline(t time.Time) error  { d.read++; return nil }
func (d *recordedDeadlines) SetWriteDeadline(t time.Time) error { d.write++; return nil }

// A backup may take longer than any other call: the limits of the server are lifted for reading and set anew for each write.
func TestBackupOutlivesTheServersTimeLimits(t *testing.T) {
	const records = 4
	store := faulty.Engine{OnExport: func(_ context.Context, to func(storage.Record) error) error {
		for range records {
			if err := to(large); err != nil {
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
	if rec.body.Len() < records*len(large.Data) || rec.read != 1 || rec.writes < records || rec.write != rec.writes {
		t.Errorf("answered %d bytes with %d limits for reading and %d for %d writes", rec.body.Len(), rec.read, rec.write, rec.writes)
	}
}
