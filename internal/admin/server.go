// Package admin is the admin socket, by which commands reach the store of a running server: both of its sides.
//
//	command ─► Client (client.go, linesclient.go, backupclient.go)
//	              │ socket.go: a file in the data directory, for its owner only
//	           Server (server.go) ─► register.go, issuer.go, list.go, receipts.go, receiptlog.go, audit.go, removal.go, orgremoval.go, check.go, backup.go ─► store
//
// What is done to a store is the same functions with a server and without one: AddUser and its like are called by the
// Server, and by commands that found none (ErrNoServer). The package opens no store and prints nothing.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"example.org/avatard/storage"
)

// Request is the body of the calls that change something.
type Request struct {
	Organization string `json:"organisation"`
	User         string `json:"user,omitempty"`
	// Issuer is only compared: a user goes to the issuer that the server has. "" = whatever that is.
	Issuer string `json:"issuer,omitempty"`
	// To is the issuer that users of Issuer are given to.
	To string `json:"to,omitempty"`
	Admission
}

// Response is the answer to a Request.
type Response struct {
	Created bool   `json:"created"`
	Error   string `json:"error,omitempty"`
}

// Server serves the socket.
type Server struct {
	Store  storage.Engine
	Issuer string // the key that users are stored under
	Logger *slog.Logger

	Configured []string // organisations that the configuration registers at each start

	stopping chan struct{} // closed when the socket's server begins to shut down
	backups  sync.Mutex    // held by the one backup that may be under way
	made     int64         // backups begun so far; under backups
}

func (a *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /organisations", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, func(ctx context.Context, req Request) (bool, error) {
			return AddOrganization(ctx, a.Store, req.Organization, req.Admission)
		})
	})
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, a.ofUser(AddUser))
	})
	mux.HandleFunc("POST /moves", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, a.ofUser(MoveUser))
	})
	mux.HandleFunc("POST /issuers", a.issuerMove)
	mux.HandleFunc("POST /erasures/user", a.userRemoval)
	mux.HandleFunc("POST /erasures/org", a.orgRemoval)
	mux.HandleFunc("POST /lists", a.list)
	mux.HandleFunc("POST /receipts", a.receipts)
	mux.HandleFunc("POST /receipts/one", a.receipt)
	mux.HandleFunc("POST /receipts/head", a.receiptHead)
	mux.HandleFunc("POST /receipts/proof", a.receiptProof)
	mux.HandleFunc("POST /receipts/verify", a.receiptsVerify)
	mux.HandleFunc("POST /audit", a.audit)
	mux.HandleFunc("POST /checks", a.check)
	mux.HandleFunc("POST /backups", a.backup)
	mux.HandleFunc("POST /backups/end", a.backupEnd)
	return mux
}

// ofUser adapts a change of one user to requests. The user is one of the server's issuer.
func (a *Server) ofUser(do UserChange) func(context.Context, Request) (bool, error) {
	return func(ctx context.Context, req Request) (bool, error) {
		if req.Issuer != "" && req.Issuer != a.Issuer {
			return false, fmt.Errorf("%w: the running server has the issuer %q, not %q", ErrRefused, a.Issuer, req.Issuer)
		}
		return do(ctx, a.Store, storage.UserKey{Issuer: a.Issuer, ID: req.User}, req.Organization, req.Admission)
	}
}

// ErrRefused marks an error whose text is for the person at the command line.
var ErrRefused = errors.New("refused")

func (a *Server) answer(w http.ResponseWriter, r *http.Request, do func(context.Context, Request) (bool, error)) {
	respond(a, w, r, func(ctx context.Context, req Request) (Response, error) {
		created, err := do(ctx, req)
		log := a.Logger.With("path", r.URL.Path, "organisation", req.Organization, "user", req.User)
		if req.To != "" {
			log = a.Logger.With("path", r.URL.Path, "issuer", req.Issuer, "to", req.To)
		}
		logCall(log, created, err)
		return Response{Created: created}, err
	})
}

func logCall(log *slog.Logger, changed bool, err error) {
	if err != nil {
		log.Warn("admin call failed", "error", err)
	} else {
		log.Info("admin call", "changed", changed)
	}
}

// respond reads a request, does it and writes what came of it.
func respond[Request, Reply any](a *Server, w http.ResponseWriter, r *http.Request, do func(context.Context, Request) (Reply, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	var req Request
	if !readRequest(w, r, &req) {
		return
	}
	reply, err := do(ctx, req)
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, reply)
	case errors.Is(err, ErrRefused):
		writeJSON(w, http.StatusConflict, Response{Error: err.Error()})
	case errors.Is(err, storage.ErrUnavailable), ctx.Err() != nil:
		writeJSON(w, http.StatusServiceUnavailable, Response{Error: "the store is not available now; try again"})
	default:
		writeJSON(w, http.StatusInternalServerError, Response{Error: "internal error; the server's log says more"})
	}
}

// readRequest decodes the body of a request, at most maxBytes of it, into req. It reports false after it has answered one that is
// not understood.
func readRequest(w http.ResponseWriter, r *http.Request, req any) bool {
	return readRequestUpTo(w, r, maxBytes, req)
}

// readRequestUpTo is readRequest with a limit of its own.
func readRequestUpTo(w http.ResponseWriter, r *http.Request, limit int64, req any) bool {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	body.DisallowUnknownFields()
	if err := body.Decode(req); err != nil {
		writeJSON(w, http.StatusBadRequest, Response{Error: "the request is not what this server understands; is the command of another version?"})
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, status int, res any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(res) // the client is gone when this fails
}
