package envelope

import (
	"bufio"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"example.org/avatard/internal/secretfile"
)

// maxFileBytes bounds the file of keys: thousands of them.
const maxFileBytes = 1 << 20

// keyID is what an id of a key may be.
var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Keys are the wrapping keys of a file. The newest, which is the last line, wraps; all unwrap.
type Keys struct {
	file string
	mu   sync.RWMutex
	ids  []string
	keys map[string]cipher.AEAD
	info os.FileInfo // of the file when it was read

	missing  sync.Mutex // held by the one who looks for a key that is not there
	lookedAt time.Time  // when somebody looked last
}

// lookAgain is how long after a look for a key that is not there the file is not looked at again: a picture whose key is lost must not cost
// a look at the file with every read.
const lookAgain = time.Second

// Load reads a file of keys: one a line, as "id base64", where the id has up to 64 letters, digits, dots, hyphens and underscores
// and the key 32 bytes. Empty lines and those that begin with # are passed over. A file that others than its owner may read is refused.
func Load(file string) (*Keys, error) {
	k := &Keys{file: file}
	_, err := k.Reload()
	return k, err
}

// Reload reads the file again if it has changed. The keys stay as they are when it cannot be used.
func (k *Keys) Reload() (changed bool, err error) {
	info, err := os.Stat(k.file)
	if err != nil {
		return false, fmt.Errorf("keys of pictures: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.info != nil && os.SameFile(k.info, info) && k.info.ModTime().Equal(info.ModTime()) && k.info.Size() == info.Size() {
		return false, nil
	}
	ids, keys, err := read(k.file)
	if err != nil {
		return false, fmt.Errorf("keys of pictures: %s: %w", k.file, err)
	}
	k.ids, k.keys, k.info = ids, keys, info
	return true, nil
}

// Generate makes a file with one random key. It never replaces one.
func Generate(file, id string) error {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", id, base64.StdEncoding.EncodeToString(key))
	return errors.Join(err, f.Sync(), f.Close())
}

func read(file string) (ids []string, keys map[string]cipher.AEAD, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if secretfile.IsOpen(info) {
		return nil, nil, fmt.Errorf("its mode is %#o; expected 0600, as nobody else may read it", info.Mode().Perm())
	}
	keys = make(map[string]cipher.AEAD)
	lines := bufio.NewScanner(io.LimitReader(f, maxFileBytes))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, text, _ := strings.Cut(line, " ")
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != keyBytes || !keyID.MatchString(id) || keys[id] != nil {
			return nil, nil, fmt.Errorf("line %d: expected an id that no other line has, a space and %d bytes in base64", n, keyBytes)
		}
		if keys[id], err = aead(key); err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	if err := lines.Err(); err != nil {
		return nil, nil, err
	}
	if len(ids) == 0 {
		return nil, nil, errors.New("it has no key")
	}
	return ids, keys, nil
}

func (k *Keys) newest() (string, cipher.AEAD, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.ids) == 0 {
		return "", nil, ErrNoKey
	}
	id := k.ids[len(k.ids)-1]
	return id, k.keys[id], nil
}

// find returns a key, for which it looks into the file again where it has none of that id: another server may have read a newer file.
func (k *Keys) find(id string) (cipher.AEAD, error) {
	if key, err := k.named(id); err == nil {
		return key, nil
	}
	k.missing.Lock()
	defer k.missing.Unlock()
	if key, err := k.named(id); err == nil || time.Since(k.lookedAt) < lookAgain {
		return key, err
	}
	k.lookedAt = time.Now()
	if _, err := k.Reload(); err != nil {
		return nil, fmt.Errorf("%w, and %w", ErrNoKey, err)
	}
	return k.named(id)
}

func (k *Keys) named(id string) (cipher.AEAD, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if key := k.keys[id]; key != nil {
		return key, nil
	}
	return nil, ErrNoKey
}
