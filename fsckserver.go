package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"avatard/storage"
	"avatard/storage/embedded"
)

const (
	// fsckStall is how long a caller may let a check wait who does not read.
	fsckStall = time.Minute
	// fsckProgressEvery is the least time between two reports of progress.
	fsckProgressEvery = 200 * time.Millisecond
)

// fsckRequest asks for a check. The answer is one fsckReply a line.
type fsckRequest struct {
	Repair bool `json:"repair"`
}

// fsckReply is one line. The last one has a summary or an error.
type fsckReply struct {
	Found    *embedded.Finding `json:"found,omitempty"`
	Progress *fsckProgress     `json:"progress,omitempty"`
	Summary  *embedded.Summary `json:"summary,omitempty"`
	Error    string            `json:"error,omitempty"`
}

type fsckProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// checker is a store that can be checked while it serves.
type checker interface {
	Check(ctx context.Context, opt embedded.CheckOptions, found func(embedded.Finding) error) (embedded.Summary, error)
}

// check answers with what a check of the store finds, as it is found.
func (a *admin) check(w http.ResponseWriter, r *http.Request) {
	var req fsckRequest
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	body.DisallowUnknownFields()
	if err := body.Decode(&req); err != nil {
		writeAdmin(w, http.StatusBadRequest, adminResponse{Error: "the request is not what this server understands; is the command of another version?"})
		return
	}
	store, ok := a.store.(checker)
	if !ok {
		writeAdmin(w, http.StatusNotImplemented, adminResponse{Error: "the server's store cannot be checked"})
		return
	}
	out := &fsckResponse{w: w, control: http.NewResponseController(w)}
	// The time limits of the server are for short calls. Here each line has one of its own.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		a.logger.Error("check", "error", err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-a.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	opt := embedded.CheckOptions{Repair: req.Repair, By: commandLine, Progress: func(done, total int64) {
		if time.Since(out.last) >= fsckProgressEvery && out.line(fsckReply{Progress: &fsckProgress{done, total}}) != nil {
			cancel()
		}
	}}
	sum, err := store.Check(ctx, opt, func(f embedded.Finding) error { return out.line(fsckReply{Found: &f}) })
	log := a.logger.With("repair", req.Repair, "slots", sum.Slots, "users", sum.Users, "findings", sum.Findings, "repaired", sum.Repaired)
	switch {
	case err == nil && sum.Findings == 0:
		log.Info("check")
	case err == nil:
		log.Warn("check found that data does not agree")
	case errors.Is(err, context.Canceled):
		log.Warn("check was given up: its caller is gone, or the server stops")
	default:
		log.Error("check failed", "error", err)
	}
	last := fsckReply{Summary: &sum}
	if err != nil {
		last = fsckReply{Error: checkProblem(err)}
	}
	_ = out.line(last) // the caller is gone when this fails
}

// checkProblem is what a caller is told of a check that failed.
func checkProblem(err error) string {
	switch {
	case errors.Is(err, embedded.ErrChecking):
		return "another check is under way; try again when it is done"
	case errors.Is(err, context.Canceled):
		return "the server is stopping"
	case errors.Is(err, storage.ErrUnavailable):
		return "the store is not available now; the server's log says more"
	default:
		return "the check could not be finished; the server's log says more"
	}
}

// fsckResponse is an answer of any length to a caller who takes it.
type fsckResponse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    time.Time
}

func (o *fsckResponse) line(reply fsckReply) error {
	if o.last.IsZero() {
		o.w.Header().Set("Content-Type", "application/x-ndjson")
	}
	o.last = time.Now()
	if err := o.control.SetWriteDeadline(o.last.Add(fsckStall)); err != nil {
		return err
	}
	if err := json.NewEncoder(o.w).Encode(reply); err != nil {
		return err
	}
	return o.control.Flush()
}
