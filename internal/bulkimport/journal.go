package bulkimport

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// ErrOtherImport: the journal is that of another import.
var ErrOtherImport = errors.New("the journal is that of another import")

// Subject is what an import is about. A journal counts for one.
type Subject struct {
	// Server is the address of the server.
	Server       string `json:"server"`
	Organization string `json:"organisation"`
	// From is where the pictures come from.
	From string `json:"from"`
}

// Journal is a file with a line of JSON for each item that the server has acknowledged. The first line names the subject. A line is written
// in one go, so a kill leaves whole lines; of a loss of power the end may be missing, which costs a comparison of what it named.
type Journal struct {
	mu      sync.Mutex
	file    *os.File
	done    map[string][sha256.Size]byte // by user
	written int                          // since the last sync
	broken  error                        // a line was not written whole; nothing may follow it
}

// entry is a line.
type entry struct {
	User   string `json:"user"`
	SHA256 string `json:"sha256"`
}

// syncEvery is after how many lines the file is synced.
const syncEvery = 64

// OpenJournal opens a journal, or makes one. lock takes the file for this process, or fails.
func OpenJournal(name string, subject Subject, lock func(*os.File) error) (j *Journal, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	if err := lock(f); err != nil {
		return nil, fmt.Errorf("another import has the journal %s: %w", name, err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	j = &Journal{file: f, done: make(map[string][sha256.Size]byte)}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if err := f.Truncate(int64(whole)); err != nil {
		return nil, err
	}
	if whole == 0 {
		return j, j.write(subject)
	}
	if err := j.read(text[:whole], subject); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j, nil
}

func (j *Journal) read(text []byte, subject Subject) error {
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	var found Subject
	if err := json.Unmarshal(first, &found); err != nil || found != subject {
		return fmt.Errorf("%w: %s", ErrOtherImport, first)
	}
	for line := range bytes.Lines(rest) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("a line of the journal is damaged: %w", err)
		}
		sum, err := hex.DecodeString(e.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return errors.New("a line of the journal is damaged")
		}
		j.done[e.User] = [sha256.Size]byte(sum)
	}
	return nil
}

// has reports whether this picture of the user was imported.
func (j *Journal) has(user string, sum [sha256.Size]byte) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, ok := j.done[user]
	return ok && found == sum
}

func (j *Journal) add(user string, sum [sha256.Size]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[user] = sum
	if err := j.write(entry{user, hex.EncodeToString(sum[:])}); err != nil {
		return err
	}
	if j.written < syncEvery {
		return nil
	}
	j.written = 0
	return j.file.Sync()
}

func (j *Journal) write(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if j.broken != nil {
		return j.broken
	}
	j.written++
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		j.broken = fmt.Errorf("journal: %w", err)
	}
	return j.broken
}

func (j *Journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Sync()
}

// Name returns the name of the file.
func (j *Journal) Name() string { return j.file.Name() }

// Close releases the file.
func (j *Journal) Close() error { return j.file.Close() }
