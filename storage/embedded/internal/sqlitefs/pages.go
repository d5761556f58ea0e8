package sqlitefs

import (
	"encoding/binary"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// Pages is the metadata as the last durable commit left it, for reads that do not wait for the connection: the connection is busy while a
// commit or a checkpoint is synced, and SQLite allows no other one to the file.
//
// The file layer reports the writes to the log. Frames count from the sync that made their commit durable, until the log begins anew, when
// all of them are in the database. So a page is in the log where InLog says, and otherwise in the database. SQLite looks for it in the same
// way, but in an index of the log that only its connection has.
type Pages struct {
	// mu is held for reading while a statement reads, and for writing while the state changes.
	mu      sync.RWMutex
	db, log datadir.File
	InLog   map[uint32]int64 // where the durable version of a page begins in the log
	version uint32           // counts the states
	size    int64            // of the database, in bytes

	Written []writtenFrame // since the last durable commit; the writer's alone
}

// writtenFrame is a page in the log that is not durable yet.
type writtenFrame struct {
	off  int64
	page uint32
	size uint32 // of the database in pages, 0 unless it ends a transaction
}

// RLock keeps the state from changing until RUnlock. Reads happen in between.
func (p *Pages) RLock() { p.mu.RLock() }

// RUnlock undoes RLock.
func (p *Pages) RUnlock() { p.mu.RUnlock() }

func (p *Pages) setDatabase(f datadir.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.db = f
}

func (p *Pages) setLog(f datadir.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = f
}

// Started notes that the log is empty and the database has so many bytes.
func (p *Pages) Started(size int64) {
	p.emptied()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = size
}

// emptied notes that the log begins anew: the database holds everything.
func (p *Pages) emptied() {
	p.Written = p.Written[:0]
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.InLog)
	p.version++
}

// wrote notes a write to the log. SQLite writes a frame's header by itself. After a transaction that failed, the frames of the next one are
// written to the same places.
func (p *Pages) wrote(b []byte, off int64) {
	if off == 0 {
		p.emptied()
		return
	}
	if (off-HeaderBytes)%FrameBytes != 0 || len(b) < 8 {
		return
	}
	n := len(p.Written)
	for n > 0 && p.Written[n-1].off >= off {
		n--
	}
	p.Written = append(p.Written[:n], writtenFrame{off, binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])})
}

// synced notes that the writes are durable. Frames without the end of their transaction do not count yet.
func (p *Pages) synced() {
	n := len(p.Written)
	for n > 0 && p.Written[n-1].size == 0 {
		n--
	}
	if n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.InLog == nil {
		p.InLog = make(map[uint32]int64)
	}
	for _, f := range p.Written[:n] {
		p.InLog[f.page] = f.off + FrameHeaderBytes
	}
	p.size = int64(p.Written[n-1].size) * PageBytes
	p.version++
	p.Written = p.Written[:copy(p.Written, p.Written[n:])]
}

// failed notes that a write or a sync of the log failed: SQLite undoes the transaction, so none of its frames ever count.
func (p *Pages) failed() { p.Written = p.Written[:0] }

// read reads a page. The caller holds mu for reading. A page in the log has no checksum of its own: the frame has one, and the page
// gets it when it is moved.
func (p *Pages) read(page uint32, b []byte) error {
	if off, ok := p.InLog[page]; ok {
		if _, err := p.log.ReadAt(b, off); err != nil {
			return err
		}
		setChecksum(b)
		return nil
	}
	_, err := p.db.ReadAt(b, int64(page-1)*PageBytes)
	return err
}

// Places in the first page: https://sqlite.org/fileformat.html#the_database_header
const (
	headerFormats = 18 // for writing and reading: 2 with a log beside it, 1 without
	headerCounter = 24 // of changes; a connection whose cache is of another one drops it
	headerValid   = 92 // the counter again, for which the size in the header holds
)

// readFirst reads the first page as that of a database without a log, whose counter is the version.
func (p *Pages) readFirst(b []byte) error {
	if err := p.read(1, b); err != nil {
		return err
	}
	if checksum(b[:PageBytes-ChecksumBytes]) != [ChecksumBytes]byte(b[PageBytes-ChecksumBytes:]) {
		return sqlite3.IOERR_DATA
	}
	b[headerFormats], b[headerFormats+1] = 1, 1
	binary.BigEndian.PutUint32(b[headerCounter:], p.version)
	binary.BigEndian.PutUint32(b[headerValid:], p.version)
	setChecksum(b)
	return nil
}

// ChecksumBytes is the room for the checksum at the end of each page: https://sqlite.org/cksumvfs.html
const ChecksumBytes = 8

func setChecksum(page []byte) {
	sum := checksum(page[:PageBytes-ChecksumBytes])
	copy(page[PageBytes-ChecksumBytes:], sum[:])
}

// checksum is that of SQLite's checksum layer: https://sqlite.org/cksumvfs.html
func checksum(b []byte) (sum [ChecksumBytes]byte) {
	var one, two uint32
	for ; len(b) >= 8; b = b[8:] {
		one += binary.LittleEndian.Uint32(b) + two
		two += binary.LittleEndian.Uint32(b[4:]) + one
	}
	binary.LittleEndian.PutUint32(sum[:], one)
	binary.LittleEndian.PutUint32(sum[4:], two)
	return sum
}
