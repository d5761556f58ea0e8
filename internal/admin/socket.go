package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"example.org/avatard/storage"
)

// SocketName is the file of the admin socket. It lies in the data directory with mode
// 0600: users who may open the data may use it, and nobody else. It speaks JSON over HTTP:
//
//	POST /organisations {"organisation": ORG}                              → {"created": true}; with "readmits": true ORG may have ended
//	POST /users         {"organisation": ORG, "user": USER, "issuer": URL} → {"created": true}; likewise, and with "new_organisation": true ORG may be unknown
//	POST /moves         {"organisation": ORG, "user": USER, "issuer": URL} → {"created": true}, when something changed
//	POST /issuers       {"issuer": OLD, "to": NEW}                         → {"created": true}, when something changed
//	POST /erasures/user {"user": USER, "issuer": URL, "organisation": ORG} → who was removed, or why nobody, see UserRemovalReply; with "dry_run": true who would be
//	POST /erasures/org  {"organisation": ORG}                              → a line now and then and one at the end, see OrganizationRemovalReply; likewise
//	POST /lists         {"organisations": false, "after": …}               → a page of users or organisations, see ListReply
//	POST /receipts      {"user": USER, "since": TIME, "after": …}          → a page of receipts, see ReceiptsReply
//	POST /receipts/one  {"receipt": ID}                                    → {"receipt": {…}}, or {} when there is none
//	POST /receipts/head {}                                                 → the signed head of the log of receipts, see ReceiptHead
//	POST /receipts/proof {"receipt": ID}                                   → {"proof": {…}}, or {} when there is no such receipt
//	POST /receipts/verify {"noted": [{"name": FILE, "text": HEAD}]}        → a line, see VerifyReply
//	POST /audit         {"query": {…}}                                     → a page of the audit trail, see AuditReply
//	POST /checks        {"repair": false}                                  → a line for each finding, see CheckReply
//	POST /backups       {"receipts_only": false}                           → the bytes of a backup
//	POST /backups/end   {"backup": 1, "error": "…"}                        → {}: what became of those bytes
//
// An error is {"error": "…"} with a status of its own. What an earlier version does otherwise has another path or field there, so that a server and
// a command of different versions refuse each other: earlier ones removed users at /removals without keeping them from registering again.
const SocketName = "avatard.sock"

// Limits of the admin socket.
const (
	maxBytes         = 16 << 10
	timeout          = 30 * time.Second
	maxSocketPathLen = 103 // the smallest sun_path among the systems we build for is 104 bytes with its NUL
)

// Serve listens on the socket in dir until the returned function is called. The caller holds the store's
// lock, so a socket that is there already was left by a server that was killed, and is replaced. With no directory, "", nothing listens.
func Serve(dir string, a *Server) (stop func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	path := filepath.Join(dir, SocketName)
	ln, err := listen(dir, path)
	if err != nil {
		return nil, err
	}
	a.stopping = make(chan struct{})
	srv := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      timeout + 5*time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelWarn),
	}
	srv.RegisterOnShutdown(func() { close(a.stopping) }) // of long calls; short ones may end
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			a.Logger.Error("admin socket", "error", err)
		}
	}()
	return func() {
		// First: from here on commands look at the lock instead.
		if err := os.Remove(path); err != nil {
			a.Logger.Warn("removing the admin socket", "error", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close() // cuts off what is left; its error tells of closed listeners
		}
		<-ended
	}, nil
}

// listen replaces what an earlier server left at path, the socket in dir.
func listen(dir, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%w: %s; remove it", storage.ErrLink, path)
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
	return ln, nil
}

// socketPath returns a name of the admin socket that a socket address has room for, to be used before done is
// called. A path that is too long is taken through the descriptor of its directory.
func socketPath(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, SocketName)
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
	return short + "/" + SocketName, func() { d.Close() }, nil
}
