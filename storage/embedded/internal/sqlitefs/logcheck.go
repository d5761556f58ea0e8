package sqlitefs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

// Format of SQLite's log: https://sqlite.org/fileformat2.html#walformat
const (
	HeaderBytes      = 32
	FrameHeaderBytes = 24
	// FrameBytes is what a page takes in the log.
	FrameBytes = FrameHeaderBytes + PageBytes
	logMagic   = 0x377f0682 // with the lowest bit set, sums are over big-endian words
)

// CheckLog looks for damage in the log that SQLite leaves behind when a process is killed. For SQLite the log ends where the first checksum
// is wrong, because a loss of power may have torn the last write there; everything behind it, acknowledged or not, is dropped silently.
// But frames that follow a commit were written after that commit had been synced. So a sound frame that continues a commit, behind a
// broken place, proves that the place was whole once.
//
// Damage to the last transaction looks like a torn one and is not found.
func CheckLog(path string) error {
	f, err := datadir.Open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	var header [HeaderBytes]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return ignoreEnd(err) // too short to hold anything
	}
	var order binary.ByteOrder = binary.LittleEndian
	if binary.BigEndian.Uint32(header[:]) == logMagic|1 {
		order = binary.BigEndian
	}
	sum := logSum{order: order}
	sum.add(header[:24])
	broken := !sum.equals(header[24:])
	pageSize := binary.BigEndian.Uint32(header[8:])
	if pageSize != PageBytes {
		broken, pageSize = true, PageBytes // the only size there is with us
	}
	salt := [8]byte(header[16:])
	frame := make([]byte, FrameHeaderBytes+pageSize)
	afterCommit := false // the previous frame is a commit, at or behind the broken place
	for number := 1; ; number++ {
		if _, err := io.ReadFull(in, frame); err != nil {
			return ignoreEnd(err)
		}
		sum.add(frame[:8])
		sum.add(frame[FrameHeaderBytes:])
		ofLog := [8]byte(frame[8:]) == salt
		sound := sum.equals(frame[16:FrameHeaderBytes])
		switch {
		case broken && number == 1:
			salt, ofLog = [8]byte(frame[8:]), true // the header's may be wrong
		case broken && afterCommit && ofLog && sound:
			return fmt.Errorf("%w: %s: transactions are missing before frame %d; restore the directory from a backup",
				storage.ErrDamaged, filepath.Base(path), number)
		case !ofLog || !sound:
			broken = true
		}
		afterCommit = broken && ofLog && binary.BigEndian.Uint32(frame[4:]) != 0
		sum.set(frame[16:FrameHeaderBytes])
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// logSum is the running sum of a log's frames.
type logSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (l *logSum) add(data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		l.s0 += l.order.Uint32(data) + l.s1
		l.s1 += l.order.Uint32(data[4:]) + l.s0
	}
}

func (l *logSum) equals(stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == l.s0 && binary.BigEndian.Uint32(stored[4:]) == l.s1
}

func (l *logSum) set(stored []byte) {
	l.s0, l.s1 = binary.BigEndian.Uint32(stored), binary.BigEndian.Uint32(stored[4:])
}
