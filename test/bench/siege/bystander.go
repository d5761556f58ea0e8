package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// bystanders are two servers that have nothing to do with the one that is attacked, called at the same rate and in the same
// moments: what they are slow at, the machine is slow at. One only answers, the other syncs a file before, as changes do.
type bystanders struct {
	url  string
	stop func() error
}

const bystanderCount = 2

// startBystanders starts both on the file system of dir.
func startBystanders(ctx context.Context, dir string) (*bystanders, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "bystander"))
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	handler := http.NewServeMux()
	handler.HandleFunc("/answer", func(http.ResponseWriter, *http.Request) {})
	handler.HandleFunc("/sync", func(w http.ResponseWriter, _ *http.Request) {
		page := make([]byte, 4<<10)
		for range 2 { // bytes, then metadata
			_, err := file.WriteAt(page, 0)
			if err := errors.Join(err, file.Sync()); err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		}
	})
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: callLimit}
	go func() { _ = srv.Serve(ln) }()
	return &bystanders{url: "http://" + ln.Addr().String(), stop: func() error { return errors.Join(srv.Close(), file.Close()) }}, nil
}

// callers are like victims, of these servers.
func (b *bystanders) callers() []victim {
	call := func(path string) victim {
		return victim{client: clientFrom(len(victimNames)), statuses: []int{http.StatusOK}, request: func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, nil)
		}}
	}
	return []victim{call("/answer"), call("/sync")}
}

// machine returns how slow the machine was for what a victim does.
func machine(slices []slice, victim int) time.Duration {
	which := len(victimNames) // answers only
	if name := victimNames[victim]; name == "delete" || name == "upload" {
		which++
	}
	return slices[which].tail
}
