package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"example.org/avatard/storage"
)

// maxCheckLine bounds a line of a check's answer.
const maxCheckLine = 64 << 10

// CheckSink takes what a check finds, and how far it has come.
type CheckSink interface {
	Finding(f storage.Finding) error
	Progress(done, total int64)
}

// Check lets the server check its data and passes on what it finds.
func (c Client) Check(ctx context.Context, req CheckRequest, out CheckSink) (sum storage.CheckSummary, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return sum, err
	}
	resp, err := post(ctx, conn, "/checks", req)
	if err != nil {
		return sum, err
	}
	defer resp.Body.Close()
	return readCheck(ctx, resp.Body, out)
}

// readCheck reads an answer line by line. Only its last line tells that it is whole.
func readCheck(ctx context.Context, body io.Reader, out CheckSink) (sum storage.CheckSummary, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxCheckLine)
	for lines.Scan() {
		var line CheckReply
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return sum, errors.New("the running server's answer is not one to this command; is it of another version?")
		}
		switch {
		case line.Found != nil:
			err = out.Finding(*line.Found)
		case line.Progress != nil:
			out.Progress(line.Progress.Done, line.Progress.Total)
		case line.Summary != nil:
			return *line.Summary, nil
		case line.Error != "":
			return sum, errors.New(line.Error)
		}
		if err != nil {
			return sum, err
		}
	}
	if ctx.Err() != nil {
		return sum, ctx.Err()
	}
	return sum, errors.New("the running server ended before the check did")
}
