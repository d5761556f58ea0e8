package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// ground is where a siege takes place: a data directory, people and their pictures.
type ground struct {
	testbed *testbed.Testbed
	stderr  *os.File
	small   []byte // what the victim uploads
	users   []string
	large   testbed.Person // whose picture the attack reads
	deletes testbed.Person
	reads   testbed.Person
	uploads testbed.Person
	attack  []testbed.Person
	seeded  bool

	bystanders *bystanders
}

const (
	attackAccounts = 8
	largePicture   = 480_000 // bytes, near what may be uploaded
	smallPicture   = 4_000
)

// newGround makes a place for the program. The settings are those that a server has by itself.
func newGround(ctx context.Context, binary, dir string) (*ground, error) {
	b, err := startBystanders(ctx, dir)
	if err != nil {
		return nil, err
	}
	s, err := testbed.New(testbed.Config{Binary: binary, Dir: dir, People: 4 + attackAccounts, Flags: []string{
		"--introspection-unknown-rate", "100", "--introspection-cache-ttl", "5s", "--introspection-timeout", "2.5s"}})
	if err != nil {
		return nil, errors.Join(err, b.stop())
	}
	people := s.People()
	g := &ground{testbed: s, stderr: os.Stderr, small: picture.Sample(1, smallPicture), large: people[0], deletes: people[1], reads: people[2],
		uploads: people[3], attack: people[4:], bystanders: b}
	for _, p := range people[:4] {
		g.users = append(g.users, p.ID)
	}
	return g, nil
}

func (g *ground) close() error { return errors.Join(g.testbed.Close(), g.bystanders.stop()) }

func picturePath(p testbed.Person) string { return client.PicturePath(testbed.Organization, p.ID) }

// seed gives pictures to those who need one.
func (g *ground) seed(ctx context.Context, url string) error {
	if g.seeded {
		return nil
	}
	c := testbed.NewClient(url)
	defer c.Close()
	for _, row := range []struct {
		who     testbed.Person
		picture []byte
	}{{g.large, picture.Sample(2, largePicture)}, {g.deletes, g.small}, {g.reads, picture.Sample(3, smallPicture)}, {g.uploads, g.small}} {
		if got := c.UploadOwn(ctx, client.Bearer(row.who.Token), row.picture); !got.Acknowledged() {
			return fmt.Errorf("upload a picture to begin with: %v", got)
		}
	}
	if got := c.Read(ctx, testbed.Organization, g.large.ID, ""); len(got.Data) < largePicture/2 {
		return fmt.Errorf("the large picture has %d bytes, too few to hold a reader up", len(got.Data))
	}
	g.seeded = true
	return nil
}

// round is one round: a quiet slice and one under attack.
type round struct {
	quiet, siege         []slice // by victim, then the bystanders
	memory               int64   // bytes, at most
	quietRate, siegeRate rates   // of the server
	quietDisk, siegeDisk int64   // bytes of the data directory, after the slice
	toll                 toll
	ended                bool // the server did, under the attack
}

// rates are what a server spends a second.
type rates struct {
	log float64 // bytes
	cpu float64 // seconds, so that 1 is one processor
}

// round starts a server, measures both slices and ends it.
func (g *ground) round(ctx context.Context, o options, a attack) (r round, err error) {
	srv, err := g.testbed.Start(ctx)
	if err != nil {
		return r, err
	}
	defer srv.Kill()
	if err := g.seed(ctx, srv.URL); err != nil {
		return r, err
	}
	victims := g.victims(srv.URL)
	slicesOf(ctx, victims, o.rate, 300*time.Millisecond, o.percent) // so that tokens are known and files are open
	if r.quiet, r.quietRate, err = g.slice(ctx, srv, victims, o, o.quiet); err != nil {
		return r, err
	}
	if r.quietDisk, err = diskUse(g.testbed.Data()); err != nil {
		return r, err
	}
	if a.holdsLog {
		defer srv.HoldLog()() // before Kill
	}
	ord := order{Attack: a.name, Server: strings.TrimPrefix(srv.URL, "http://"), Picture: picturePath(g.large), Users: g.users, Held: o.held}
	for _, p := range g.attack {
		ord.Accounts = append(ord.Accounts, p.Token)
	}
	f, err := startForce(ctx, ord, g.stderr)
	if err != nil {
		return r, err
	}
	r.siege, r.siegeRate, err = g.slice(ctx, srv, victims, o, o.siege)
	var failed error
	if r.memory, failed = peakMemory(srv.PID()); failed != nil {
		select {
		case <-srv.Ended():
			r.ended, failed = true, nil
		default:
		}
	}
	r.toll, failed = joinToll(f, failed)
	if err := errors.Join(err, failed); err != nil {
		return r, err
	}
	r.siegeDisk, err = diskUse(g.testbed.Data())
	return r, err
}

func joinToll(f *force, failed error) (toll, error) {
	t, err := f.end()
	return t, errors.Join(failed, err)
}

// slice lets the victims call and tells what the server has spent meanwhile.
func (g *ground) slice(ctx context.Context, srv *testbed.Server, victims []victim, o options, length time.Duration) (found []slice, spent rates, err error) {
	log, err := srv.LogBytes()
	if err != nil {
		return nil, spent, err
	}
	cpu, err := processorTime(srv.PID())
	if err != nil {
		return nil, spent, err
	}
	began := time.Now()
	found = slicesOf(ctx, victims, o.rate, length, o.percent)
	took := time.Since(began).Seconds()
	if after, failed := srv.LogBytes(); failed == nil {
		spent.log = float64(after-log) / took
	}
	if after, failed := processorTime(srv.PID()); failed == nil { // it may have ended, which peakMemory finds
		spent.cpu = (after - cpu).Seconds() / took
	}
	return found, spent, ctx.Err()
}

// diskUse returns how many bytes the files of a directory have.
func diskUse(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
