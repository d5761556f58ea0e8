package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"avatard/storage/embedded"
)

// errNoServer: no server listens on the admin socket of a data directory.
var errNoServer = errors.New("no server runs on this data directory")

// askServer sends a request to the server that runs on the data directory. The error is errNoServer when there
// is none.
func askServer(ctx context.Context, dir, path string, req adminRequest) (created bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	created, err = askOnce(ctx, dir, path, req)
	if errors.Is(err, errHungUp) {
		// The server was just being killed, so the next look finds none. Asking twice for the same is no harm.
		created, err = askOnce(ctx, dir, path, req)
	}
	return created, err
}

// errHungUp: the server took the connection and closed it without an answer.
var errHungUp = errors.New("the running server hung up")

func askOnce(ctx context.Context, dir, path string, req adminRequest) (created bool, err error) {
	var res adminResponse
	err = exchange(ctx, dir, path, req, &res, maxAdminBytes)
	return res.Created, err
}

// exchange sends one request and reads its answer, of a size up to a limit, into res.
func exchange(ctx context.Context, dir, path string, req, res any, limit int64) error {
	conn, err := dialAdmin(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// One call over one connection, which is there already: that there is no server must show before anything
	// is sent, and only then may the store be opened instead.
	dialled := make(chan net.Conn, 1)
	dialled <- conn
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-dialled:
			return c, nil
		default:
			return nil, errors.New("the server closed the connection")
		}
	}}
	defer tr.CloseIdleConnections()
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://avatard"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := tr.RoundTrip(httpReq)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("asking the running server: %w", ctx.Err())
		}
		return errHungUp // whatever the transport makes of it
	}
	defer resp.Body.Close()
	answer := json.NewDecoder(io.LimitReader(resp.Body, limit))
	if resp.StatusCode != http.StatusOK {
		var failed adminResponse
		if err := answer.Decode(&failed); err == nil && failed.Error != "" {
			return errors.New(failed.Error)
		}
	} else if answer.Decode(res) == nil {
		return nil
	}
	return fmt.Errorf("the running server answered %s, which is no answer to this command; is it of another version?", resp.Status)
}

func dialAdmin(ctx context.Context, dir string) (net.Conn, error) {
	info, err := os.Lstat(filepath.Join(dir, adminSocket))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // who may not look will be told by the store
		return nil, errNoServer
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 { // the data would be in other hands than what is told about it
		return nil, fmt.Errorf("%w: %s; remove it", embedded.ErrLink, filepath.Join(dir, adminSocket))
	}
	path, done, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, errNoServer // left by a server that was killed, or gone this moment
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the running server: %w", err)
	}
	return conn, nil
}
