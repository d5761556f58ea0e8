package backup

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"example.org/avatard/storage"
)

// spool keeps a stream, so that it can be read more than once, in a file that has no name and is encrypted with a key in
// memory alone: when the process has ended its pictures cannot be read any more, not even from free blocks of the disk.
type spool struct {
	file  storage.ScratchFile
	block cipher.Block
	size  int64
}

// newSpool reads a stream to its end, or until ctx ends, into a file, which it closes when that fails. First it calls begins with the
// stream, which may read of it as much as it likes; an error of begins ends it, and is returned as it is.
func newSpool(ctx context.Context, f storage.ScratchFile, stream io.Reader, begins func(io.Reader) error) (s *spool, err error) {
	var key [32]byte
	rand.Read(key[:])
	s = &spool{file: f}
	if s.block, err = aes.NewCipher(key[:]); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	filled := make(chan error, 1)
	out := bufio.NewWriterSize(spoolWriter{s}, 256<<10)
	go func() { // it still waits for a stream that never ends when this function has returned
		if err := begins(io.TeeReader(stream, out)); err != nil {
			filled <- err
			return
		}
		_, err := out.ReadFrom(stream)
		if err = errors.Join(err, out.Flush()); err != nil {
			err = keeping(f, err)
		}
		filled <- err
	}()
	select {
	case err = <-filled:
	case <-ctx.Done():
		err = keeping(f, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func keeping(f storage.ScratchFile, err error) error {
	return fmt.Errorf("keeping the stream in %s: %w", f.Name(), err)
}

// spoolWriter writes at the end of a spool.
type spoolWriter struct{ *spool }

func (w spoolWriter) Write(p []byte) (int, error) {
	b := make([]byte, len(p))
	w.crypt(b, p, w.size)
	n, err := w.file.WriteAt(b, w.size)
	w.size += int64(n)
	return n, err
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	s.crypt(p[:n], p[:n], off)
	return n, err
}

// Close removes the file.
func (s *spool) Close() error { return s.file.Close() }

// crypt encrypts or decrypts what is at an offset. The counter of the blocks begins at 0: no key is used twice.
func (s *spool) crypt(dst, src []byte, off int64) {
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(off/aes.BlockSize))
	stream := cipher.NewCTR(s.block, counter[:])
	var skipped [aes.BlockSize]byte
	stream.XORKeyStream(skipped[:off%aes.BlockSize], skipped[:off%aes.BlockSize])
	stream.XORKeyStream(dst, src)
}
