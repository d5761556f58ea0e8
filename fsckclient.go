package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"avatard/storage/embedded"
)

// maxFsckLine bounds a line of a check's answer.
const maxFsckLine = 64 << 10

// askForCheck lets the server on the data directory check it and passes on what it finds. The error is errNoServer when
// there is none.
func askForCheck(ctx context.Context, dir string, req fsckRequest, out *fsckOutput) (sum embedded.Summary, err error) {
	conn, err := dialAdmin(ctx, dir)
	if err != nil {
		return sum, err
	}
	defer func() { _ = conn.Close() }()
	dialled := make(chan net.Conn, 1) // one call, over the connection that is there
	dialled <- conn
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-dialled:
			return c, nil
		default:
			return nil, errHungUp
		}
	}}
	defer tr.CloseIdleConnections()
	body, err := json.Marshal(req)
	if err != nil {
		return sum, err
	}
	httpReq, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://avatard/checks", bytes.NewReader(body))
	if err != nil {
		return sum, err
	}
	resp, err := tr.RoundTrip(httpReq)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return sum, fmt.Errorf("asking the running server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var res adminResponse
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxAdminBytes)).Decode(&res); err != nil || res.Error == "" {
			return sum, fmt.Errorf("the running server answered %s; is it of another version?", resp.Status)
		}
		return sum, errors.New(res.Error)
	}
	return readCheck(ctx, resp.Body, out)
}

// readCheck reads an answer line by line. Only its last line tells that it is whole.
func readCheck(ctx context.Context, body io.Reader, out *fsckOutput) (sum embedded.Summary, err error) {
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
