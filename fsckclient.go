package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"avatard/storage/embedded"
)

// maxFsckLine bounds a line of a check's answer.
const maxFsckLine = 64 << 10

// findingSink takes what a check finds, and how far it has come.
type findingSink interface {
	finding(f embedded.Finding) error
	progress(done, total int64)
}

// check lets the server check its data and passes on what it finds.
func (c adminClient) check(ctx context.Context, req fsckRequest, out findingSink) (sum embedded.Summary, err error) {
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
func readCheck(ctx context.Context, body io.Reader, out findingSink) (sum embedded.Summary, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxFsckLine)
	for lines.Scan() {
		var line fsckReply
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return sum, errors.New("the running server's answer is not one to this command; is it of another version?")
		}
		switch {
		case line.Found != nil:
			err = out.finding(*line.Found)
		case line.Progress != nil:
			out.progress(line.Progress.Done, line.Progress.Total)
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
