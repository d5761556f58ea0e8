package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// Deletes must work on a full disk. Two things see to that:
//
//   - The floor: uploads and registrations are refused while the file system has less room than this. So pictures never take the last of
//     the room.
//   - The reserve: a file of zeros in the data directory, which gives its blocks back piece by piece when a delete, a change that was begun,
//     or a start needs room. It is filled again when there is room.
const (
	maxFloor   = 64 << 20
	maxReserve = 4 << 20
	// Both are at most this part of the file system, so that a small file system can be used.
	spaceShare = 16
	// reservePiece is given back, or filled, at a time.
	reservePiece = 512 << 10
	// spaceInterval is how often an idle store checks whether there is room again. A busy one fills a piece every spaceCommits group commits.
	spaceInterval = 10 * time.Second
	spaceIdle     = 5 * time.Second
	spaceCommits  = 64
	// This many times the floor and the missing part of the reserve are plenty: then room is checked only once in a while.
	plentyTimes = 16
	plentyTime  = time.Second
	// maxSpaceSteps bounds what is given back to the file system at a time for an upload, in steps of tidyPunches holes.
	maxSpaceSteps = 32
	// shortLog is how long the log may become before it is moved into the database while room is short.
	shortLog = 64 * sqlitefs.FrameBytes
)

// space is the state of the room on the disk. Only the committer uses it, except short, held and cramped.
type space struct {
	dir    datadir.Dir
	look   func(dir string) (free, total int64, err error)
	size   int64        // of the full reserve, in bytes
	floor  int64        // in bytes
	held   atomic.Int64 // bytes of the reserve that have blocks
	short  atomic.Bool  // new things are refused
	looked time.Time
	seen   struct { // what was known of a file system with plenty of room
		at   time.Time
		free int64
	}
	commits int // group commits while the reserve was not full
	// cramped is when the slab had no room to grow the last time, in nanoseconds since 1970, 0 when it had.
	cramped atomic.Int64
}

// open finds the reserve that an earlier process left.
func (sp *space) open() {
	sp.size, sp.floor = maxReserve, maxFloor
	if _, total, err := sp.look(sp.dir.Path); err == nil {
		sp.size = min(maxReserve, total/spaceShare) / slab.PageBytes * slab.PageBytes
		sp.floor = min(maxFloor, total/spaceShare)
	} else {
		sp.floor = 0 // nothing is known of this file system
	}
	if info, err := os.Lstat(sp.dir.File(reserveName)); err == nil {
		// Not all of its blocks may be there: power may have failed before its sync.
		sp.held.Store(min(info.Size(), datadir.DiskBytes(info), sp.size))
	}
}

// missing returns how many bytes the reserve lacks.
func (sp *space) missing() int64 { return max(0, sp.size-sp.held.Load()) }

// hasRoom reports whether so many bytes may be taken for a new picture or user.
func (sp *space) hasRoom(bytes int64) bool {
	free, _, err := sp.look(sp.dir.Path)
	return err != nil || free-bytes >= sp.floor+sp.missing()
}

// hasPlenty reports whether there was so much room a moment ago that it need not be checked again.
func (sp *space) hasPlenty() bool {
	if now := time.Now(); now.Sub(sp.seen.at) >= plentyTime {
		sp.seen.at, sp.seen.free = now, 0
		if free, _, err := sp.look(sp.dir.Path); err == nil {
			sp.seen.free = free
		}
	}
	return sp.seen.free > plentyTimes*(sp.floor+sp.missing())
}

// reserveFile opens the reserve. Its content has no meaning.
func (sp *space) reserveFile(flag int) (datadir.File, error) {
	return sp.dir.Open(reserveName, os.O_RDWR|flag)
}

// give gives a piece of the reserve back to the file system. It reports false when nothing is left of it.
func (sp *space) give() (given bool, err error) {
	held := sp.held.Load()
	sp.short.Store(true)
	if held == 0 {
		return false, nil
	}
	left := max(0, held-min(reservePiece, max(slab.PageBytes, sp.size/8/slab.PageBytes*slab.PageBytes)))
	file, err := sp.reserveFile(0)
	if err != nil {
		sp.held.Store(0)
		return false, err
	}
	defer file.Close()
	err = file.Truncate(left)
	if err == nil {
		sp.held.Store(left)
		hooks.Failpoint("space-given")
		err = file.Sync() // only then some file systems give the blocks to others
	}
	return err == nil, err
}

// fill adds a piece to the reserve.
func (sp *space) fill() error {
	held := sp.held.Load()
	n := min(reservePiece, sp.size-held)
	file, err := sp.reserveFile(os.O_CREATE)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(make([]byte, n), held)
	hooks.Failpoint("space-written")
	if err == nil {
		err = file.Sync()
	}
	hooks.Failpoint("space-synced")
	if err == nil {
		err = sp.dir.Sync()
	}
	hooks.Failpoint("space-listed")
	if err != nil { // the disk is full by now: the blocks that were taken go back
		return errors.Join(err, file.Truncate(held))
	}
	sp.held.Store(held + n)
	return nil
}

// noRoom reports whether a write failed because the file system, or the owner's share of it, is full.
func noRoom(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// makeRoom gives a piece of the reserve back after a write met a full disk, and reports whether trying again may succeed.
func (s *Store) makeRoom() bool {
	if !s.space.short.Load() {
		s.log.Warn("the disk is full: uploads are refused until there is room, deletes use what is kept for them", "reserve_bytes", s.space.held.Load())
	}
	given, err := s.space.give()
	if err != nil {
		s.failures.error(s.log, "the reserve could not be used", "error", err)
	}
	return given
}

// takesNew returns nil when something new may be taken, else why not.
func (s *Store) takesNew() error {
	if err := s.logRoom(false); err != nil {
		return err
	}
	if !s.space.short.Load() && (s.space.hasPlenty() || s.space.hasRoom(0)) {
		return nil
	}
	if !s.space.short.Swap(true) {
		s.log.Warn("the disk is nearly full: uploads are refused until there is room", "floor_bytes", s.space.floor)
	}
	return errShort
}

var errShort = fmt.Errorf("%w: the disk is nearly full", storage.ErrUnavailable)

// fit makes a region smaller until there is room for it, and reports whether there is.
func (sp *space) fit(r *slab.Region) bool {
	for ; !sp.hasRoom(r.Slots * r.SlotPages * slab.PageBytes); r.Slots /= 2 {
		if r.Slots < 4 {
			return false
		}
	}
	return true
}

// regainRoom fills the reserve when there is room for it, and takes new things again when it is full.
func (s *Store) regainRoom() {
	sp := &s.space
	sp.looked = time.Now()
	for steps := 0; steps < maxSpaceSteps && !sp.hasRoom(0) && s.tidyStep(); steps++ { // gives back the space of deleted pictures
	}
	for sp.missing() > 0 {
		if !sp.hasRoom(0) || !s.fillPiece() {
			return
		}
	}
	if sp.short.Load() && sp.hasRoom(0) {
		sp.short.Store(false)
		s.log.Info("there is room again")
		if s.checkpoints.failed {
			_ = s.checkpoint(sqlite3.CHECKPOINT_PASSIVE) // Ready and the log report the error
		}
	}
}

// fillPiece is fill, and logs a failure.
func (s *Store) fillPiece() bool {
	err := s.space.fill()
	if err != nil && !noRoom(err) {
		s.failures.error(s.log, "the reserve for deletes on a full disk could not be filled", "error", err)
	}
	return err == nil
}

// spaceDue returns when the chore is due: as long as the reserve is not full, or room is short.
func (s *Store) spaceDue(quiet time.Time) (due time.Time) {
	if s.space.missing() == 0 && !s.space.short.Load() {
		return due
	}
	due = quiet.Add(spaceIdle)
	if again := s.space.looked.Add(spaceInterval); due.Before(again) {
		due = again
	}
	return due
}

// spaceBusy fills the reserve of a server that always has something to do, a piece at a time.
func (s *Store) spaceBusy() {
	sp := &s.space
	if sp.missing() == 0 || sp.short.Load() {
		return
	}
	if sp.commits++; sp.commits%spaceCommits == 0 && sp.hasRoom(0) {
		s.fillPiece()
	}
}

// RoomForUploads returns nil unless the disk is so full that uploads and registrations are refused. Deletes go on.
func (s *Store) RoomForUploads(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if cramped := s.space.cramped.Load(); cramped != 0 && s.now().Sub(time.Unix(0, cramped)) < faultMemory &&
		!s.space.hasRoom(slab.MaxRegionPages*slab.PageBytes) {
		return fmt.Errorf("%w: the slab cannot grow: the disk is nearly full", storage.ErrUnavailable)
	}
	if s.space.short.Load() {
		return fmt.Errorf("%w: the disk is nearly full: uploads are refused, deletes use a reserve of which %d of %d bytes are left",
			storage.ErrUnavailable, s.space.held.Load(), s.space.size)
	}
	return nil
}

// isNew reports whether a change is refused on a full disk: it has not begun, and it erases nothing.
func (t *request) isNew() bool {
	switch w := t.op.(type) {
	case *put:
		return w.stage == stageReserve
	case *addUser, *addOrganization, *moveUser, *removeOrganization, *sealStep:
		return true
	}
	return false
}
