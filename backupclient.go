package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"avatard/storage"
)

// askForBackup returns the stream of a backup that the server on the data directory makes. The error is errNoServer when
// there is none.
func askForBackup(ctx context.Context, dir string, req backupRequest) (io.ReadCloser, error) {
	conn, err := dialAdmin(ctx, dir)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	dialled := make(chan net.Conn, 1) // one call, over the connection that is there
	dialled <- stallingConn{conn}
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-dialled:
			return c, nil
		default:
			return nil, errHungUp
		}
	}}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://avatard/backups", bytes.NewReader(body))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	resp, err := tr.RoundTrip(httpReq)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(fmt.Errorf("asking the running server: %w", err), conn.Close())
	}
	if resp.StatusCode == http.StatusOK {
		number, _ := strconv.ParseInt(resp.Header.Get(backupNumber), 10, 64)
		return &serverStream{ReadCloser: resp.Body, dir: dir, number: number}, nil
	}
	defer resp.Body.Close()
	var res adminResponse
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAdminBytes)).Decode(&res); err != nil || res.Error == "" {
		return nil, fmt.Errorf("the running server answered %s; is it of another version?", resp.Status)
	}
	return nil, errors.New(res.Error)
}

// serverStream is a backup that a server makes.
type serverStream struct {
	io.ReadCloser
	dir    string
	number int64
}

// report tells the server what became of the backup. It is for the server's log: there is nothing to do when that fails, because
// the server has ended meanwhile, or is of another version.
func (s *serverStream) report(ctx context.Context, outcome error) {
	what := backupReport{Backup: s.number}
	if outcome != nil {
		what.Error = storage.FitText(outcome.Error())
	}
	body, err := json.Marshal(what)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialAdmin(ctx, s.dir) }}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://avatard/backups/end", bytes.NewReader(body))
	if err != nil {
		return
	}
	if resp, err := tr.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
	}
}

// stallingConn gives up when the other side says nothing for long.
type stallingConn struct{ net.Conn }

func (c stallingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(2 * backupStall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
