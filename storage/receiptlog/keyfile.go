package receiptlog

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.org/avatard/internal/secretfile"
)

const (
	keyBlock        = "PRIVATE KEY"
	maxKeyFileBytes = 4096
)

// ErrKeyFile: the file cannot be the key of a log: others may read it, it is not an ordinary file, or it holds something else.
var ErrKeyFile = errors.New("not the key file of a log of receipts")

// MakeKeyFile makes a file with a new key, for its owner alone, and returns the key once the file is durable. The error is fs.ErrExist where
// there is a file already, which is durable then: a log whose key was replaced looks like another log to everybody who noted a head.
func MakeKeyFile(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := makeSecretFile(path, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})); err != nil {
		return nil, fmt.Errorf("making the key of the log of receipts: %w", err)
	}
	return key, nil
}

// makeSecretFile makes a file of mode 0600 that has all of its content as soon as it has its name. Of several processes one succeeds.
func makeSecretFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // unlike a rename it replaces nothing
	}
	// A process that was killed here before may have left a name that is not durable.
	return errors.Join(err, os.Remove(f.Name()), syncDirectory(dir))
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadKeyFile returns the key of a file that MakeKeyFile has made. The errors are ErrKeyFile and those of opening it.
func ReadKeyFile(path string) (ed25519.PrivateKey, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() { // a link, or a pipe that nobody writes to
		return nil, fmt.Errorf("%s: %w: it is not an ordinary file", path, ErrKeyFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(named, opened) {
		return nil, fmt.Errorf("%s: %w: it was replaced meanwhile", path, ErrKeyFile)
	}
	if secretfile.IsOpen(opened) {
		return nil, fmt.Errorf("%s: %w: its mode is %#o; expected 0600, as nobody else may read it", path, ErrKeyFile, opened.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFileBytes))
	if err != nil {
		return nil, err
	}
	key, err := parseKey(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// parseKey says nothing of what it found instead of a key.
func parseKey(content []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != keyBlock {
		return nil, ErrKeyFile
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, ErrKeyFile
	}
	return key, nil
}
