package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// large is a record that nobody holds back to send it together with others.
var large = storage.PictureRecord{Format: storage.PNG, Data: make([]byte, 1<<20)}

// One backup at a time, and one that nobody takes any more ends.
func TestBackupsOneAtATime(t *testing.T) {
	dir := t.TempDir()
	begun, ended := make(chan struct{}), make(chan error, 1)
	store := faulty.Engine{OnExport: func(ctx context.Context, to func(storage.Record) error) error {
		err := to(large)
		close(begun)
		<-ctx.Done()
		ended <- errors.Join(err, ctx.Err())
		return ctx.Err()
	}}
	stop, err := Serve(dir, &Server{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := make(chan error, 1)
	go func() {
		stream, err := NewClient(dir).Backup(ctx, BackupRequest{})
		if err == nil {
			_, err = io.Copy(io.Discard, stream)
			stream.Close()
		}
		first <- err
	}()
	<-begun
	if _, err := NewClient(dir).Backup(t.Context(), BackupRequest{}); err == nil || !strings.Contains(err.Error(), "another backup") {
		t.Errorf("a second backup = %v, want that another one is under way", err)
	}
	cancel()
	if err := <-first; err == nil {
		t.Error("a backup that was given up = nil")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the server's backup ended with %v", err)
	}
}
