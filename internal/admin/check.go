package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"example.org/avatard/storage"
)

// CheckRequest asks for a check. The answer is one CheckReply a line.
type CheckRequest struct {
	Repair bool `json:"repair"`
}

// CheckReply is one line. The last one has a summary or an error.
type CheckReply struct {
	Found    *storage.Finding      `json:"found,omitempty"`
	Progress *CheckProgress        `json:"progress,omitempty"`
	Summary  *storage.CheckSummary `json:"summary,omitempty"`
	Error    string                `json:"error,omitempty"`
}

// CheckProgress is how far a check has come, in slots and users.
type CheckProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// check answers with what a check of the store finds, as it is found.
func (a *Server) check(w http.ResponseWriter, r *http.Request) {
	var req CheckRequest
	if !readRequest(w, r, &req) {
		return
	}
	ctx, cancel, out := a.answerLines(w, r)
	defer cancel()
	opt := storage.CheckOptions{Repair: req.Repair, By: CommandLine, Progress: func(done, total int64) {
		if time.Since(out.last) >= progressEvery && out.line(CheckReply{Progress: &CheckProgress{done, total}}) != nil {
			cancel()
		}
	}}
	sum, err := a.Store.Check(ctx, opt, func(f storage.Finding) error { return out.line(CheckReply{Found: &f}) })
	log := a.Logger.With("repair", req.Repair, "slots", sum.Slots, "users", sum.Users, "findings", sum.Findings, "repaired", sum.Repaired)
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
	last := CheckReply{Summary: &sum}
	if err != nil {
		last = CheckReply{Error: checkProblem(err)}
	}
	_ = out.line(last) // the caller is gone when this fails
}

// checkProblem is what a caller is told of a check that failed.
func checkProblem(err error) string {
	switch {
	case errors.Is(err, storage.ErrChecking):
		return "another check is under way; try again when it is done"
	case errors.Is(err, context.Canceled):
		return "the server is stopping"
	case errors.Is(err, storage.ErrUnavailable):
		return "the store is not available now; the server's log says more"
	default:
		return "the check could not be finished; the server's log says more"
	}
}
