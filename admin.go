package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"avatard/storage"
)

// adminRequest is the body of the calls that change something.
type adminRequest struct {
	Organization string `json:"organisation"`
	User         string `json:"user,omitempty"`
	// Issuer is only compared: a user goes to the issuer that the server has. "" = whatever that is.
	Issuer string `json:"issuer,omitempty"`
	// To is the issuer that users of Issuer are given to.
	To string `json:"to,omitempty"`
	// NewOrganization lets a user be added to an organisation that is not registered.
	NewOrganization bool `json:"new_organisation,omitempty"`
}

type adminResponse struct {
	Created bool   `json:"created"`
	Error   string `json:"error,omitempty"`
}

// admin serves the socket.
type admin struct {
	store  storage.Store
	issuer string // the key that users are stored under
	logger *slog.Logger

	configured []string // organisations that the configuration registers at each start

	stopping chan struct{} // closed when the socket's server begins to shut down
	backups  sync.Mutex    // held by the one backup that may be under way
	made     int64         // backups begun so far; under backups
}

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /organisations", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, func(ctx context.Context, req adminRequest) (bool, error) {
			return addOrganization(ctx, a.store, req.Organization)
		})
	})
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, a.ofUser(addUser))
	})
	mux.HandleFunc("POST /moves", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, a.ofUser(moveUser))
	})
	mux.HandleFunc("POST /issuers", a.issuerMove)
	mux.HandleFunc("POST /removals", a.userRemoval)
	mux.HandleFunc("POST /removals/org", a.orgRemoval)
	mux.HandleFunc("POST /lists", a.list)
	mux.HandleFunc("POST /checks", a.check)
	mux.HandleFunc("POST /backups", a.backup)
	mux.HandleFunc("POST /backups/end", a.backupEnd)
	return mux
}

// ofUser makes a request of what is done to one user, who goes by the issuer that the server has.
func (a *admin) ofUser(do userChange) func(context.Context, adminRequest) (bool, error) {
	return func(ctx context.Context, req adminRequest) (bool, error) {
		if req.Issuer != "" && req.Issuer != a.issuer {
			return false, fmt.Errorf("%w: the running server has the issuer %q, not %q", errRefused, a.issuer, req.Issuer)
		}
		return do(ctx, a.store, storage.UserKey{Issuer: a.issuer, ID: req.User}, req.Organization, req.NewOrganization)
	}
}

// errRefused marks an error whose text is for the person at the command line.
var errRefused = errors.New("refused")

func (a *admin) answer(w http.ResponseWriter, r *http.Request, do func(context.Context, adminRequest) (bool, error)) {
	respond(a, w, r, func(ctx context.Context, req adminRequest) (adminResponse, error) {
		created, err := do(ctx, req)
		log := a.logger.With("path", r.URL.Path, "organisation", req.Organization, "user", req.User)
		if req.To != "" {
			log = a.logger.With("path", r.URL.Path, "issuer", req.Issuer, "to", req.To)
		}
		logAdmin(log, created, err)
		return adminResponse{Created: created}, err
	})
}

func logAdmin(log *slog.Logger, changed bool, err error) {
	if err != nil {
		log.Warn("admin call failed", "error", err)
	} else {
		log.Info("admin call", "changed", changed)
	}
}

// respond reads a request, does it and writes what came of it.
func respond[Request, Reply any](a *admin, w http.ResponseWriter, r *http.Request, do func(context.Context, Request) (Reply, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	var req Request
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	body.DisallowUnknownFields()
	if err := body.Decode(&req); err != nil {
		writeAdmin(w, http.StatusBadRequest, adminResponse{Error: "the request is not what this server understands; is the command of another version?"})
		return
	}
	reply, err := do(ctx, req)
	switch {
	case err == nil:
		writeAdmin(w, http.StatusOK, reply)
	case errors.Is(err, errRefused):
		writeAdmin(w, http.StatusConflict, adminResponse{Error: err.Error()})
	case errors.Is(err, storage.ErrUnavailable), ctx.Err() != nil:
		writeAdmin(w, http.StatusServiceUnavailable, adminResponse{Error: "the store is not available now; try again"})
	default:
		writeAdmin(w, http.StatusInternalServerError, adminResponse{Error: "internal error; the server's log says more"})
	}
}

func writeAdmin(w http.ResponseWriter, status int, res any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(res) // the client is gone when this fails
}
