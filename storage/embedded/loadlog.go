package embedded

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/receiptlog"
)

// loadLog reads how far the log of receipts has come. With one that cannot be gone on with the store does everything else: what is wrong is
// for those who verify it.
func (s *Store) loadLog(keyPath string, id slab.GenerationID) error {
	x := &s.sealing
	x.path, x.origin = keyPath, "avatard/"+hex.EncodeToString(id[:])
	x.unfinished, x.issuers = make(map[int64]bool), make(map[string]int64)
	err := s.db.once(`SELECT number, url FROM receipt_issuer`, func(row *sqlite3.Stmt) bool {
		x.issuers[row.ColumnText(1)] = row.ColumnInt64(0)
		return true
	})
	if err != nil {
		return err
	}
	err = s.db.once(`SELECT receipt FROM receipt_unfinished`, func(row *sqlite3.Stmt) bool {
		x.unfinished[row.ColumnInt64(0)] = true
		return true
	})
	if err != nil {
		return err
	}
	found, err := s.db.storedLog()
	if err != nil || !found.begun && found.places == 0 {
		return err
	}
	if x.broken = x.goOn(found); x.broken != nil {
		s.log.Error("no receipts are sealed; run \"avatard receipts verify\"", "error", x.broken)
		x.broken = fmt.Errorf("%w: %w", storage.ErrUnavailable, x.broken)
	}
	return nil
}

// storedLog is the log as the database has it.
type storedLog struct {
	begun    bool // there is a head
	sealed   int64
	frontier []byte
	text     string
	places   int64 // behind the last one
}

func (db *database) storedLog() (found storedLog, err error) {
	if found.places, err = db.number(`SELECT ifnull(max(place) + 1, 0) FROM receipt_log`); err != nil {
		return found, err
	}
	err = db.once(`SELECT sealed, frontier, head FROM receipt_head`, func(row *sqlite3.Stmt) bool {
		found.begun, found.sealed = true, row.ColumnInt64(0)
		found.frontier, found.text = row.ColumnBlob(1, nil), row.ColumnText(2)
		return false
	})
	return found, err
}

// goOn takes over a log, unless another head could be signed than one that follows the last one.
func (x *sealing) goOn(found storedLog) error {
	if err := x.useKey(false); err != nil {
		return err
	}
	head, err := found.check(x.verifier)
	if err != nil {
		return err
	}
	if x.frontier, err = receiptlog.ParseFrontier(found.frontier); err != nil || x.frontier.Size() != head.Size || x.frontier.Root() != head.Root {
		return &receiptlog.FaultError{Kind: receiptlog.HeadAltered}
	}
	x.begun, x.sealed = true, found.sealed
	x.head.Store(&sealedHead{SignedHead: storage.SignedHead{Text: found.text, Key: x.verifier}, size: head.Size})
	return nil
}

// check returns the signed head of a log that has as many places as it says.
func (f storedLog) check(verifier string) (receiptlog.Head, error) {
	head, err := receiptlog.OpenHead([]byte(f.text), verifier)
	if err != nil || !f.begun {
		return head, &receiptlog.FaultError{Kind: receiptlog.HeadAltered, End: f.places}
	}
	if f.places > head.Size {
		return head, &receiptlog.FaultError{Kind: receiptlog.Inserted, Index: head.Size, End: f.places}
	}
	return head, nil
}

// useKey reads the key of the log, or makes one for a new log.
func (x *sealing) useKey(isNew bool) error {
	key, verifier, err := readLogKey(x.path, x.origin)
	if isNew && errors.Is(err, fs.ErrNotExist) {
		if _, err = receiptlog.MakeKeyFile(x.path); err == nil {
			key, verifier, err = readLogKey(x.path, x.origin)
		}
	}
	if isNew && err == nil {
		err = removeHalfKeys(x.path)
	}
	if err == nil {
		x.key, x.verifier = key, verifier
	}
	return err
}

// readLogKey returns the key of the log, and the text form of its public part.
func readLogKey(path, origin string) (ed25519.PrivateKey, string, error) {
	key, err := receiptlog.ReadKeyFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("the key of the log of receipts: %w", err)
	}
	verifier, err := receiptlog.VerifierKey(origin, key.Public().(ed25519.PublicKey))
	return key, verifier, err
}

// removeHalfKeys removes what a process has left that was killed while it made a key.
func removeHalfKeys(path string) error {
	left, err := filepath.Glob(path + ".new-*")
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// makeLogKey has a key ready for signing. The error is the answer for callers.
func (s *Store) makeLogKey() error {
	x := &s.sealing
	if x.broken != nil || x.key != nil {
		return x.broken
	}
	if err := x.useKey(true); err != nil {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return nil
}
