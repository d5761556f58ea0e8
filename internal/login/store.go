package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	"example.org/avatard/internal/client"
)

// ErrNone: there is no login for the server.
var ErrNone = errors.New("nobody is logged in")

// ErrExposed: others can read the login, and may have its tokens, which are good for being revoked and for nothing else. It is a
// client.ErrNotPermitted.
var ErrExposed = fmt.Errorf("%w: others can read the login", client.ErrNotPermitted)

// Store is a directory with a file for each server that somebody is logged in at. Only its owner can read it.
type Store struct{ Dir string }

// Login is what a file holds.
type Login struct {
	Server   string   `json:"server"`
	Provider Provider `json:"provider"`
	Tokens
}

func (s Store) file(server string) string {
	sum := sha256.Sum256([]byte(server))
	return filepath.Join(s.Dir, hex.EncodeToString(sum[:8])+".json")
}

// Save keeps a login in place of an earlier one, behind a refresh of that one. Readers see one of the two whole.
func (s Store) Save(l Login) (err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	unlock, err := s.lock(l.Server)
	if err != nil {
		return err
	}
	defer unlock()
	return s.write(l)
}

// write makes the file of a login. The caller has the lock.
func (s Store) write(l Login) (err error) {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	name := s.file(l.Server)
	part := name + "." + rand.Text()
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

// Load returns the login for a server; ErrNone when there is none. One that others can read comes with ErrExposed. One that others can write
// is not looked at: it may name a place that collects tokens.
func (s Store) Load(server string) (l Login, err error) {
	name := s.file(server)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l, ErrNone
	}
	if err != nil {
		return l, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return l, err
	}
	others := info.Mode().Perm() & 0o077
	if runtime.GOOS == "windows" {
		others = 0
	}
	switch {
	case others&0o022 != 0:
		return l, fmt.Errorf("%w: others can write the login in %s; log in anew", client.ErrNotPermitted, name)
	case json.Unmarshal(text, &l) != nil || l.Server != server || client.CheckToken(l.Access) != nil:
		return Login{}, fmt.Errorf("%w: the login in %s is damaged; log in anew", client.ErrNotPermitted, name)
	case others != 0:
		return l, fmt.Errorf("%w in %s; log in anew", ErrExposed, name)
	}
	return l, nil
}

// End forgets the login for a server, and asks the provider to end its tokens, the newest ones where another process is just refreshing them.
// revoked tells that the provider has a place for that. A login that cannot be used, or whose tokens the provider does not end, is
// forgotten all the same, with an error.
func (s Store) End(ctx context.Context, hc *http.Client, server string) (revoked bool, err error) {
	if _, err := s.Load(server); errors.Is(err, ErrNone) {
		return false, err // and nothing is made
	}
	unlock, err := s.lock(server)
	if err != nil {
		return false, err
	}
	defer unlock()
	l, failed := s.Load(server)
	if errors.Is(failed, ErrNone) {
		return false, failed
	}
	if failed == nil || errors.Is(failed, ErrExposed) {
		revoked, failed = Revoke(ctx, hc, l)
	}
	if err := os.Remove(s.file(server)); err != nil {
		return false, err
	}
	if failed != nil {
		return false, fmt.Errorf("the login is removed here, but its tokens were not ended at the provider: %w", failed)
	}
	return revoked, nil
}

// lock keeps other processes from changing a login until unlock.
func (s Store) lock(server string) (unlock func(), err error) {
	f, err := os.OpenFile(s.file(server)+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // which unlocks it
}
