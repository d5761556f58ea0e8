package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// lineStall is how long a line waits for a caller that does not read.
	lineStall = time.Minute
	// progressEvery is the least time between two reports of progress.
	progressEvery = 200 * time.Millisecond
	// maxLine bounds a line.
	maxLine = 64 << 10
)

// lines are an answer of any length to a caller who takes it, in JSON, one object a line.
type lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    time.Time
}

// answerLines begins such an answer. Its context ends with the caller, when cancel is called, and when the server stops.
func (a *Server) answerLines(w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc, *lines) {
	out := &lines{w: w, control: http.NewResponseController(w)}
	// The time limits of the server are for short calls. Here each line has one of its own.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		a.Logger.Error("admin call", "path", r.URL.Path, "error", err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		select {
		case <-a.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel, out
}

func (o *lines) line(reply any) error {
	if o.last.IsZero() {
		o.w.Header().Set("Content-Type", "application/x-ndjson")
	}
	o.last = time.Now()
	if err := o.control.SetWriteDeadline(o.last.Add(lineStall)); err != nil {
		return err
	}
	if err := json.NewEncoder(o.w).Encode(reply); err != nil {
		return err
	}
	return o.control.Flush()
}

// readLines reads an answer line by line, until take says that one is the last, or fails. Only that line tells that the answer is whole; what names
// it when it is missing.
func readLines[Line any](ctx context.Context, body io.Reader, what string, take func(Line) (last bool, err error)) error {
	in := bufio.NewScanner(body)
	in.Buffer(nil, maxLine)
	for in.Scan() {
		var line Line
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return errors.New("the running server's answer is not one to this command; is it of another version?")
		}
		if last, err := take(line); last || err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the running server ended before the " + what + " did")
}
