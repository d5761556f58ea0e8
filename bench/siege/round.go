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

	"avatard/proof/site"
	"avatard/server/picture"
)

// ground is where a siege takes place: a data directory, people and their pictures.
type ground struct {
	site    *site.Site
	stderr  *os.File
	small   []byte // what the victim uploads
	users   []string
	large   site.Person // whose picture the attack reads
	deletes site.Person
	reads   site.Person
	uploads site.Person
	attack  []site.Person
	seeded  bool
}

const (
	attackAccounts = 8
	largePicture   = 480_000 // bytes, near what may be uploaded
	smallPicture   = 4_000
)

// newGround makes a place for the program. The settings are those that a server has by itself.
func newGround(binary, dir string) (*ground, error) {
	s, err := site.New(site.Config{Binary: binary, Dir: dir, People: 4 + attackAccounts, Flags: []string{
		"--introspection-unknown-rate", "100", "--introspection-cache-ttl", "5s", "--introspection-timeout", "2.5s"}})
	if err != nil {
		return nil, err
	}
	people := s.People()
	g := &ground{site: s, stderr: os.Stderr, small: picture.Sample(1, smallPicture), large: people[0], deletes: people[1], reads: people[2],
		uploads: people[3], attack: people[4:]}
	for _, p := range people[:4] {
		g.users = append(g.users, p.ID)
	}
	return g, nil
}

func (g *ground) close() { _ = g.site.Close() }

func picturePath(p site.Person) string {
	return "/assets/v1/" + site.Organization + "/users/" + p.ID + "/avatar"
}

// seed gives pictures to those who need one.
func (g *ground) seed(ctx context.Context, url string) error {
	if g.seeded {
		return nil
	}
	client := site.NewClient(url)
	defer client.Close()
	for _, row := range []struct {
		who     site.Person
		picture []byte
	}{{g.large, picture.Sample(2, largePicture)}, {g.deletes, g.small}, {g.reads, picture.Sample(3, smallPicture)}, {g.uploads, g.small}} {
		if got := client.UploadOwn(ctx, row.who.Token, row.picture); !got.Acknowledged() {
			return fmt.Errorf("upload a picture to begin with: %v", got)
		}
	}
	if got := client.Read(ctx, g.large.ID, ""); len(got.Data) < largePicture/2 {
		return fmt.Errorf("the large picture has %d bytes, too few to hold a reader up", len(got.Data))
	}
	g.seeded = true
	return nil
}

// round is one round: a quiet slice and one under attack.
type round struct {
	quiet, siege         []slice // by victim
	memory               int64   // bytes, at most
	quietLog, siegeLog   int64   // bytes a second
	quietDisk, siegeDisk int64   // bytes of the data directory, after the slice
	toll                 toll
	ended                bool // the server did, under the attack
}

// round starts a server, measures both slices and ends it.
func (g *ground) round(ctx context.Context, o options, a attack) (r round, err error) {
	srv, err := g.site.Start(ctx)
	if err != nil {
		return r, err
	}
	defer srv.Kill()
	if err := g.seed(ctx, srv.URL); err != nil {
		return r, err
	}
	victims := g.victims(srv.URL)
	slicesOf(ctx, victims, o.rate, 300*time.Millisecond) // so that tokens are known and files are open
	if r.quiet, r.quietLog, err = g.slice(ctx, srv, victims, o.rate, o.quiet); err != nil {
		return r, err
	}
	if r.quietDisk, err = diskUse(g.site.Data()); err != nil {
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
	r.siege, r.siegeLog, err = g.slice(ctx, srv, victims, o.rate, o.siege)
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
	r.siegeDisk, err = diskUse(g.site.Data())
	return r, err
}

func joinToll(f *force, failed error) (toll, error) {
	t, err := f.end()
	return t, errors.Join(failed, err)
}

// slice lets the victims call and tells how many bytes a second the server has logged meanwhile.
func (g *ground) slice(ctx context.Context, srv *site.Server, victims []victim, rate int, length time.Duration) ([]slice, int64, error) {
	before, err := srv.LogBytes()
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	found := slicesOf(ctx, victims, rate, length)
	after, err := srv.LogBytes()
	return found, int64(float64(after-before) / time.Since(began).Seconds()), errors.Join(err, ctx.Err())
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
