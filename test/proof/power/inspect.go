package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/storage/powercut"
)

const organization = "69629023906488334"

func userKey(i int) storage.UserKey {
	return storage.UserKey{Issuer: "https://issuer.test", ID: "user-" + strconv.Itoa(i)}
}

// snapshot is what there is after a cut, whatever was promised.
type snapshot struct {
	wrong  []string        // faults of any cut
	before map[uint32]int  // longest piece of each picture before the engine was started again
	after  map[uint32]int  // and after
	users  map[int]holding // those who are registered
	counts map[string]bool // receipts that count
	audit  map[string]int  // records of each request
}

// holding is what a user has.
type holding struct {
	mark     uint64 // of the picture's bytes; 0 for none
	size     int
	sequence uint64
}

// inspector looks at what cuts left, in a directory of its own.
type inspector struct {
	dir    string
	users  int
	search *searcher
	every  int  // how many starts come to one that is done a second time
	twice  bool // this one is
	prints maphash.Seed
}

// inspect puts an image in place, starts the engine on it and looks at everything. The disk has recorded what the start did.
func (in *inspector) inspect(ctx context.Context, image powercut.Image) (s *snapshot, disk *powercut.Disk, err error) {
	s = &snapshot{before: in.search.image(image)}
	if err := image.Write(in.dir); err != nil {
		return nil, nil, err
	}
	if disk, err = powercut.New(in.dir); err != nil {
		return nil, nil, err
	}
	first, found, err := in.start(ctx, disk)
	s.wrong = append(s.wrong, found...)
	if err != nil {
		s.wrong = append(s.wrong, err.Error())
		return s, disk, nil
	}
	left, err := powercut.Read(in.dir)
	if err != nil {
		return nil, nil, err
	}
	s.after = in.search.image(left)
	rows, err := in.readDatabase(s)
	if err != nil {
		s.wrong = append(s.wrong, err.Error())
		return s, disk, nil
	}
	s.users = first
	for i, h := range rows {
		f, ok := first[i]
		if !ok {
			s.wrong = append(s.wrong, fmt.Sprintf("user %d is registered and the engine does not know", i))
		}
		f.sequence = h.sequence
		first[i] = f
	}
	if in.twice {
		s.wrong = append(s.wrong, in.again(ctx, first, left)...)
	}
	return s, disk, nil
}

// again starts the engine once more, which must change nothing.
func (in *inspector) again(ctx context.Context, first map[int]holding, left powercut.Image) (wrong []string) {
	disk, err := powercut.New(in.dir)
	if err != nil {
		return []string{err.Error()}
	}
	second, wrong, err := in.start(ctx, disk)
	if err != nil {
		return append(wrong, "the second start: "+err.Error())
	}
	for i, h := range second {
		h.sequence = first[i].sequence
		second[i] = h
	}
	if !reflect.DeepEqual(first, second) {
		wrong = append(wrong, fmt.Sprintf("the second start shows %v, the first %v", second, first))
	}
	now, err := powercut.Read(in.dir)
	if err != nil {
		return append(wrong, err.Error())
	}
	for name, data := range left.Files {
		if string(data) != string(now.Files[name]) {
			wrong = append(wrong, "the second start changed "+name)
		}
	}
	if len(now.Files) != len(left.Files) {
		wrong = append(wrong, "the second start left other files")
	}
	return wrong
}

// start starts the engine, asks for everybody's picture, lets it check itself and stops it.
func (in *inspector) start(ctx context.Context, disk *powercut.Disk) (users map[int]holding, found []string, err error) {
	s, err := embedded.Open(ctx, embedded.Config{Dir: in.dir, WrapFile: wrap(disk)})
	if err != nil {
		return nil, nil, err
	}
	users, err = in.ask(ctx, s)
	_, checked := s.Check(ctx, storage.CheckOptions{}, func(f storage.Finding) error {
		found = append(found, fmt.Sprintf("the engine's own check finds %s: %s", f.Kind, f.Detail))
		return nil
	})
	if err := errors.Join(err, checked, s.Ready(ctx), s.ErasuresDone(ctx), s.Close()); err != nil {
		return nil, found, err
	}
	return users, found, nil
}

func wrap(d *powercut.Disk) func(string, embedded.File) embedded.File {
	return func(name string, f embedded.File) embedded.File { return d.Wrap(name, f) }
}

func (in *inspector) ask(ctx context.Context, s *embedded.Store) (map[int]holding, error) {
	users := map[int]holding{}
	for i := range in.users {
		got, err := s.Get(ctx, userKey(i), organization)
		switch {
		case err == nil:
			users[i] = holding{mark: in.fingerprint(got.Data), size: len(got.Data)}
		case errors.Is(err, storage.ErrNoPicture):
			users[i] = holding{}
		case !errors.Is(err, storage.ErrUserNotFound):
			return nil, fmt.Errorf("get picture of user %d: %w", i, err)
		}
	}
	return users, nil
}

func (in *inspector) fingerprint(data []byte) uint64 { return maphash.Bytes(in.prints, data) | 1 }

// readDatabase reads the metadata past the engine.
func (in *inspector) readDatabase(s *snapshot) (users map[int]holding, err error) {
	// Immutable: SQLite then leaves no files of its own behind.
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(filepath.Join(in.dir, "avatard.db")), RawQuery: "immutable=1"}
	conn, err := sqlite3.OpenFlags(name.String(), sqlite3.OPEN_READONLY|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	users, s.counts, s.audit = map[int]holding{}, map[string]bool{}, map[string]int{}
	for _, q := range []struct {
		sql string
		row func(*sqlite3.Stmt)
	}{
		{`PRAGMA integrity_check`, func(row *sqlite3.Stmt) {
			if text := row.ColumnText(0); text != "ok" {
				s.wrong = append(s.wrong, "the database is damaged: "+text)
			}
		}},
		{`PRAGMA foreign_key_check`, func(row *sqlite3.Stmt) {
			s.wrong = append(s.wrong, "a reference leads nowhere in table "+row.ColumnText(0))
		}},
		{`SELECT id, sequence FROM user`, func(row *sqlite3.Stmt) {
			i, _ := strconv.Atoi(row.ColumnText(0)[len("user-"):])
			users[i] = holding{sequence: uint64(row.ColumnInt64(1))}
		}},
		{`SELECT generation, seq <= (SELECT watermark FROM store) OR done FROM receipt`, func(row *sqlite3.Stmt) {
			id := hex.EncodeToString(row.ColumnRawBlob(0))
			if _, twice := s.counts[id]; twice {
				s.wrong = append(s.wrong, "two receipts of generation "+id)
			}
			s.counts[id] = row.ColumnInt(1) != 0
			if !s.counts[id] {
				s.wrong = append(s.wrong, "a receipt does not count after the start: "+id)
			}
		}},
		{`SELECT hex(id), state FROM generation WHERE state = 1
			OR state = 3 AND receipt NOT IN (SELECT seq FROM receipt WHERE generation = id)`, func(row *sqlite3.Stmt) {
			s.wrong = append(s.wrong, fmt.Sprintf("generation %s is left in state %d", row.ColumnText(0), row.ColumnInt(1)))
		}},
		{`SELECT request, count(*) FROM audit WHERE action IN ('upload', 'remove') GROUP BY request`, func(row *sqlite3.Stmt) {
			s.audit[row.ColumnText(0)] = row.ColumnInt(1)
		}},
	} {
		if err := rows(conn, q.sql, q.row); err != nil {
			return nil, fmt.Errorf("%s: %w", q.sql, err)
		}
	}
	slices.Sort(s.wrong)
	return users, nil
}

func rows(conn *sqlite3.Conn, sql string, row func(*sqlite3.Stmt)) error {
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for stmt.Step() {
		row(stmt)
	}
	return stmt.Err()
}
