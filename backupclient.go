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
	"time"
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
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var res adminResponse
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAdminBytes)).Decode(&res); err != nil || res.Error == "" {
		return nil, fmt.Errorf("the running server answered %s; is it of another version?", resp.Status)
	}
	return nil, errors.New(res.Error)
}

// stallingConn gives up when the other side says nothing for long.
type stallingConn struct{ net.Conn }

func (c stallingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(2 * backupStall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
