package main

import (
	"context"
	"io"
	"net"
	"strconv"
	"time"

	"avatard/storage"
)

// backup returns the stream of a backup that the server makes.
func (c adminClient) backup(ctx context.Context, req backupRequest) (*serverStream, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := post(ctx, stallingConn{conn}, "/backups", req)
	if err != nil {
		return nil, err
	}
	number, _ := strconv.ParseInt(resp.Header.Get(backupNumber), 10, 64)
	return &serverStream{ReadCloser: resp.Body, client: c, number: number}, nil
}

// serverStream is a backup that a server makes.
type serverStream struct {
	io.ReadCloser
	client adminClient
	number int64
}

// report tells the server what became of the backup. It is for the server's log: there is nothing to do when that fails, because
// the server has ended meanwhile, or is of another version.
func (s *serverStream) report(ctx context.Context, outcome error) {
	what := backupReport{Backup: s.number}
	if outcome != nil {
		what.Error = storage.FitText(outcome.Error())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = s.client.call(ctx, "/backups/end", what, &adminResponse{}, maxAdminBytes)
}

// stallingConn gives up when the other side says nothing for long.
type stallingConn struct{ net.Conn }

func (c stallingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(2 * backupStall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
