package admin

import (
	"context"
	"io"
	"net"
	"strconv"
	"time"

	"example.org/avatard/storage"
)

// Backup returns the stream of a backup that the server makes.
func (c Client) Backup(ctx context.Context, req BackupRequest) (*BackupStream, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := post(ctx, stallingConn{conn}, "/backups", req) //nolint:bodyclose // the stream that is returned closes it
	if err != nil {
		return nil, err
	}
	number, _ := strconv.ParseInt(resp.Header.Get(backupNumber), 10, 64)
	return &BackupStream{ReadCloser: resp.Body, client: c, number: number}, nil
}

// BackupStream is a backup that a server makes.
type BackupStream struct {
	io.ReadCloser
	client Client
	number int64
}

// Report tells the server what became of the backup. It is for the server's log: there is nothing to do when that fails, because
// the server has ended meanwhile, or is of another version.
func (s *BackupStream) Report(ctx context.Context, outcome error) {
	what := backupReport{Backup: s.number}
	if outcome != nil {
		what.Error = storage.FitText(outcome.Error())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = s.client.call(ctx, "/backups/end", what, &Response{}, maxBytes)
}

// stallingConn gives up when the other side says nothing for long.
type stallingConn struct{ net.Conn }

func (c stallingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(2 * backupStall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
