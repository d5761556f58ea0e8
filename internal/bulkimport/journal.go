package bulkimport

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// ErrNotTheJournal: the file is not the journal of this import. It is left as it is.
var ErrNotTheJournal = errors.New("not the journal of this import")

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

// longestLine bounds a line of a journal: a user's id, with all its characters escaped, and a hash take less.
const longestLine = 16 << 10

// OpenJournal opens a journal, or makes one where there is no file, or an empty one. A file that is anything else is ErrNotTheJournal, and
// nothing is written to it. lock takes the file for this process, or fails.
func OpenJournal(name string, subject Subject, lock func(*os.File) error) (j *Journal, err error) {
	header, err := json.Marshal(subject)
	if err != nil {
		return nil, err
	}
	f, err := openOrMake(name)
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
	j = &Journal{file: f, done: make(map[string][sha256.Size]byte)}
	if err := j.begin(append(header, '\n')); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j, nil
}

// openOrMake opens a file of bytes. A device or a pipe, whose end may never come, is refused.
func openOrMake(name string) (*os.File, error) {
	notAFile := fmt.Errorf("%s: %w: it is no file of bytes", name, ErrNotTheJournal)
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, notAFile
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() { // it was exchanged meanwhile
		return nil, errors.Join(notAFile, err, f.Close())
	}
	return f, nil
}

// begin reads the journal, or writes the header of a new one. A header of which a full disk took only the first bytes is completed.
func (j *Journal) begin(header []byte) error {
	found := make([]byte, len(header))
	n, err := io.ReadFull(j.file, found)
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case !bytes.HasPrefix(header, found[:n]):
		return fmt.Errorf("%w, which begins with %s", ErrNotTheJournal, bytes.TrimSpace(header))
	case n < len(header):
		_, err := j.file.Write(header[n:])
		return err
	}
	whole, err := j.read(bufio.NewReaderSize(j.file, longestLine))
	if err != nil {
		return err
	}
	return j.file.Truncate(int64(len(header) + whole))
}

// read takes in the lines, and returns the bytes of the whole ones.
func (j *Journal) read(r *bufio.Reader) (whole int, err error) {
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, fmt.Errorf("%w: %w", errDamaged, err)
		}
		var e entry
		if json.Unmarshal(line, &e) != nil {
			return whole, errDamaged
		}
		sum, err := hex.DecodeString(e.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return whole, errDamaged
		}
		j.done[e.User] = [sha256.Size]byte(sum)
		whole += len(line)
	}
}

var errDamaged = errors.New("a line of the journal is damaged")

// has reports whether a picture of the user was imported, and whether it is the one of this hash.
func (j *Journal) has(user string, sum [sha256.Size]byte) (some, this bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, some := j.done[user]
	return some, some && found == sum
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
