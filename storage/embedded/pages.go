package embedded

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// pages is the metadata as the last durable commit left it, for reads that do not wait for the connection: while a commit is
// synced, or a checkpoint, the connection is busy, and it is the only one that SQLite lets have the file.
//
// The file layer tells it what is written to the log. Frames count from the sync that made their commit durable, until the log
// begins anew, when all of them are in the database. So a page is where inLog says, else in the database; SQLite looks for it
// in the same way, but in an index of the log that only its connection sees.
type pages struct {
	// mu is held for reading while a statement reads, and for writing while the state becomes another.
	mu      sync.RWMutex
	db, log File
	inLog   map[uint32]int64 // where the durable version of a page begins in the log
	version uint32           // counts the states
	size    int64            // of the database, in bytes

	written []writtenFrame // since the last durable commit; the writer's alone
}

// writtenFrame is a page in the log that is not durable yet.
type writtenFrame struct {
	off  int64
	page uint32
	size uint32 // of the database in pages, 0 unless it ends a transaction
}

func (p *pages) setDatabase(f File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.db = f
}

func (p *pages) setLog(f File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = f
}

// started notes that the log is empty and the database has so many bytes.
func (p *pages) started(size int64) {
	p.emptied()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = size
}

// emptied notes that the log begins anew: the database holds everything.
func (p *pages) emptied() {
	p.written = p.written[:0]
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.inLog)
	p.version++
}

// wrote notes what is written to the log. SQLite writes a frame's header by itself; after a transaction that failed, the next one's
// come to the same places.
func (p *pages) wrote(b []byte, off int64) {
	if off == 0 {
		p.emptied()
		return
	}
	if (off-logHeaderBytes)%logFrameBytes != 0 || len(b) < 8 {
		return
	}
	n := len(p.written)
	for n > 0 && p.written[n-1].off >= off {
		n--
	}
	p.written = append(p.written[:n], writtenFrame{off, binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])})
}

// synced notes that what was written is durable. Frames without the end of their transaction do not count yet.
func (p *pages) synced() {
	n := len(p.written)
	for n > 0 && p.written[n-1].size == 0 {
		n--
	}
	if n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inLog == nil {
		p.inLog = make(map[uint32]int64)
	}
	for _, f := range p.written[:n] {
		p.inLog[f.page] = f.off + frameHeaderBytes
	}
	p.size = int64(p.written[n-1].size) * pageBytes
	p.version++
	p.written = p.written[:copy(p.written, p.written[n:])]
}

// failed notes that a write or a sync of the log failed: SQLite undoes the transaction, and whatever is there of it never counts.
func (p *pages) failed() { p.written = p.written[:0] }

// read reads a page. The caller holds mu for reading. A page in the log has no checksum of its own: the frame has one, and the page
// gets it when it is moved.
func (p *pages) read(page uint32, b []byte) error {
	if off, ok := p.inLog[page]; ok {
		if _, err := p.log.ReadAt(b, off); err != nil {
			return err
		}
		setChecksum(b)
		return nil
	}
	_, err := p.db.ReadAt(b, int64(page-1)*pageBytes)
	return err
}

// Places in the first page: https://sqlite.org/fileformat.html#the_database_header
const (
	headerFormats = 18 // for writing and reading: 2 with a log beside it, 1 without
	headerCounter = 24 // of changes; a connection whose cache is of another one drops it
	headerValid   = 92 // the counter again, for which the size in the header holds
)

// readFirst reads the first page as that of a database without a log, whose counter is the version.
func (p *pages) readFirst(b []byte) error {
	if err := p.read(1, b); err != nil {
		return err
	}
	if checksum(b[:pageBytes-checksumBytes]) != [checksumBytes]byte(b[pageBytes-checksumBytes:]) {
		return sqlite3.IOERR_DATA
	}
	b[headerFormats], b[headerFormats+1] = 1, 1
	binary.BigEndian.PutUint32(b[headerCounter:], p.version)
	binary.BigEndian.PutUint32(b[headerValid:], p.version)
	setChecksum(b)
	return nil
}

func setChecksum(page []byte) {
	sum := checksum(page[:pageBytes-checksumBytes])
	copy(page[pageBytes-checksumBytes:], sum[:])
}

// checksum is that of SQLite's checksum layer: https://sqlite.org/cksumvfs.html
func checksum(b []byte) (sum [checksumBytes]byte) {
	var one, two uint32
	for ; len(b) >= 8; b = b[8:] {
		one += binary.LittleEndian.Uint32(b) + two
		two += binary.LittleEndian.Uint32(b[4:]) + one
	}
	binary.LittleEndian.PutUint32(sum[:], one)
	binary.LittleEndian.PutUint32(sum[4:], two)
	return sum
}

// readerFile is pages as SQLite's file. Only one goroutine at a time uses it, which holds pages.mu for reading.
type readerFile struct {
	*pages
	first   [pageBytes]byte // the first page
	version uint32          // of first, 0 when it was not read
}

func (f *readerFile) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		if off >= f.pages.size {
			return n, io.EOF
		}
		page, at := uint32(off/pageBytes)+1, int(off%pageBytes)
		var m int
		switch {
		case page == 1:
			if f.version != f.pages.version {
				f.version = 0
				if err := f.readFirst(f.first[:]); err != nil {
					return n, err
				}
				f.version = f.pages.version
			}
			m = copy(b[n:], f.first[at:])
		case at == 0 && len(b)-n >= pageBytes:
			m, err = pageBytes, f.read(page, b[n:n+pageBytes])
		default:
			var whole [pageBytes]byte
			err = f.read(page, whole[:])
			m = copy(b[n:], whole[at:])
		}
		if err != nil {
			return n, err
		}
		n, off = n+m, off+int64(m)
	}
	return n, nil
}
