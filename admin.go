package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"avatard/internal/ids"
	"avatard/storage"
	"avatard/storage/embedded"
)

// The admin socket is how commands reach the store of a running server. It lies in the data directory with mode
// 0600: who may open the data may use it, and nobody else. It speaks JSON over HTTP:
//
//	POST /organisations {"organisation": ORG}                              → {"created": true}
//	POST /users         {"organisation": ORG, "user": USER, "issuer": URL} → {"created": true}; with "new_organisation": true ORG may be unknown
//	POST /moves         {"organisation": ORG, "user": USER, "issuer": URL} → {"created": true}, when something changed
//	POST /issuers       {"issuer": OLD, "to": NEW}                         → {"created": true}, when something changed
//	POST /removals      {"user": USER, "issuer": URL, "organisation": ORG} → who was removed, or why nobody, see userRemovalReply
//	POST /removals/org  {"organisation": ORG, "check": false}              → {"created": true}, when something changed or, with check, would
//	POST /lists         {"organisations": false, "after": …}               → a page of users or organisations, see listReply
//	POST /checks        {"repair": false}                                  → a line for each finding, see fsckReply
//	POST /backups       {"receipts_only": false}                           → the bytes of a backup
//	POST /backups/end   {"backup": 1, "error": "…"}                        → {}: what became of those bytes
//
// An error is {"error": "…"} with a status of its own.
const adminSocket = "avatard.sock"

// Limits of the admin socket.
const (
	maxAdminBytes    = 16 << 10
	adminTimeout     = 30 * time.Second
	maxSocketPathLen = 103 // the smallest sun_path among the systems we build for is 104 bytes with its NUL
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

// commandLine is who asked, for the audit trail.
var commandLine = storage.Origin{Caller: "command line"}

func addOrganization(ctx context.Context, store storage.Store, org string) (created bool, err error) {
	if !ids.Valid(org) {
		return false, fmt.Errorf("%w: %q is no organisation id; expected 1 to 200 characters without control characters", errRefused, org)
	}
	return store.AddOrganization(ctx, org, commandLine)
}

// userChange does something to a user's registration, and reports whether that changed anything. newOrg lets it register the
// organisation.
type userChange func(ctx context.Context, store storage.Store, user storage.UserKey, org string, newOrg bool) (changed bool, err error)

func checkUserIDs(user storage.UserKey, org string) error {
	for _, id := range []string{user.ID, org} {
		if !ids.Valid(id) {
			return fmt.Errorf("%w: %q is no id; expected 1 to 200 characters without control characters", errRefused, id)
		}
	}
	return nil
}

func addUser(ctx context.Context, store storage.Store, user storage.UserKey, org string, newOrg bool) (created bool, err error) {
	if err := checkUserIDs(user, org); err != nil {
		return false, err
	}
	if !newOrg {
		if err := checkOrganization(ctx, store, org, "; --new-org registers it"); err != nil {
			return false, err
		}
	}
	_, created, err = store.AddUser(ctx, user, org, commandLine)
	if errors.Is(err, storage.ErrOtherOrganization) {
		return false, fmt.Errorf("%w: user %s belongs to another organisation; \"avatard user move\" moves somebody", errRefused, user.ID)
	}
	return created, err
}

// maxNamed is how many organisations or issuers a message names.
const maxNamed = 5

// checkOrganization refuses an organisation that is not registered, and says which are. advice, if any, is what else to do.
func checkOrganization(ctx context.Context, store storage.Store, org, advice string) error {
	known, err := store.HasOrganization(ctx, org)
	if err != nil || known {
		return err
	}
	page, err := store.ListOrganizations(ctx, "")
	if err != nil {
		return err
	}
	var ids []string
	for _, o := range page {
		ids = append(ids, o.ID)
	}
	return fmt.Errorf("%w: organisation %s is not registered (there %s)%s", errRefused, org, namesOf(ids), advice)
}

// namesOf names a few of several things.
func namesOf(names []string) string {
	switch {
	case len(names) == 0:
		return "is none"
	case len(names) > maxNamed:
		return "are " + strings.Join(names[:maxNamed], ", ") + " and more"
	case len(names) == 1:
		return "is " + names[0]
	}
	return "are " + strings.Join(names, ", ")
}

func moveUser(ctx context.Context, store storage.Store, user storage.UserKey, org string, _ bool) (moved bool, err error) {
	if err := checkUserIDs(user, org); err != nil {
		return false, err
	}
	_, moved, err = store.MoveUser(ctx, user, org, commandLine)
	switch {
	case errors.Is(err, storage.ErrOrganizationNotFound):
		if err := checkOrganization(ctx, store, org, `; "avatard org add" registers it`); err != nil {
			return false, err
		}
		return false, fmt.Errorf("%w: organisation %s was registered a moment ago; try again", errRefused, org)
	case errors.Is(err, storage.ErrUserNotFound):
		return false, fmt.Errorf("%w: the user is not registered; \"avatard user add\" registers somebody", errRefused)
	}
	return moved, err
}

// serveAdmin listens on the socket in dir until the returned function is called. The caller holds the store's
// lock, so a socket that is there already was left by a server that was killed, and is replaced.
func serveAdmin(dir string, a *admin) (stop func(), err error) {
	path := filepath.Join(dir, adminSocket)
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%w: %s; remove it", embedded.ErrLink, path)
		}
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is in the way: it is no socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replacing the socket of an earlier server: %w", err)
		}
	}
	short, done, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer done()
	// Linux takes the mode of a socket file from the descriptor, so that it is never open to others, not
	// even until chmod. Elsewhere the call fails or does nothing, and chmod has to do.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(restrictSocket)
	}}
	ln, err := lc.Listen(context.Background(), "unix", short)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // short may mean nothing any more by then
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, errors.Join(err, ln.Close()))
	}
	a.stopping = make(chan struct{})
	srv := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      adminTimeout + 5*time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	srv.RegisterOnShutdown(func() { close(a.stopping) }) // of long calls; short ones may end
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			a.logger.Error("admin socket", "error", err)
		}
	}()
	return func() {
		// First: from here on commands look at the lock instead.
		if err := os.Remove(path); err != nil {
			a.logger.Warn("removing the admin socket", "error", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close() // cuts off what is left; its error tells of closed listeners
		}
		<-ended
	}, nil
}

// socketPath returns a name of the admin socket that a socket address has room for, to be used before done is
// called. A path that is too long is taken through the descriptor of its directory.
func socketPath(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, adminSocket)
	if len(path) <= maxSocketPathLen {
		return path, func() {}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d", d.Fd())
	if _, err := os.Stat(short); err != nil {
		d.Close()
		return "", nil, fmt.Errorf("the path %s is %d bytes long, limit %d: choose a shorter data directory", path, len(path), maxSocketPathLen)
	}
	return short + "/" + adminSocket, func() { d.Close() }, nil
}
