package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"example.org/avatard/storage"
)

// cut fails one request of those that come while it is armed.
type cut struct {
	left  atomic.Int64 // so many until the one that fails
	after atomic.Bool  // it takes effect, and its answer is lost
}

func (c *cut) arm(n int, after bool) { c.after.Store(after); c.left.Store(int64(n)) }

// disarm ends it, and reports whether there was such a request.
func (c *cut) disarm() (hit bool) { return c.left.Swap(0) <= 0 }

func (c *cut) now() bool {
	for {
		left := c.left.Load()
		if left <= 0 {
			return false
		}
		if c.left.CompareAndSwap(left, left-1) {
			if left == 1 {
				c.left.Store(-1)
			}
			return left == 1
		}
	}
}

// cutRequests fails requests to the bucket.
type cutRequests struct {
	cut
	http.RoundTripper
}

func (c *cutRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	switch now := c.now(); {
	case now && c.after.Load():
		answer, err := c.RoundTripper.RoundTrip(r)
		if err == nil {
			_ = answer.Body.Close()
		}
	case !now:
		return c.RoundTripper.RoundTrip(r)
	}
	return nil, errors.New("the network is down")
}

// cutTrips stands before a database and fails round trips.
type cutTrips struct {
	cut
	server string
}

// inFrontOf makes the database's address one that leads over the proxy.
func (c *cutTrips) inFrontOf(t *testing.T, o *Options) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	host := strings.Trim(strings.TrimPrefix(strings.Fields(o.Database)[0], "host="), "'")
	c.server = filepath.Join(host, ".s.PGSQL.5432")
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	o.Database = strings.Replace(o.Database, host, dir, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
}

func (c *cutTrips) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	var lost atomic.Bool
	go func() { // answers, whole messages each
		defer client.Close()
		for {
			message, err := readMessage(server, true)
			if err != nil || lost.Load() && message[0] == 'Z' {
				return
			}
			if !lost.Load() {
				_, _ = client.Write(message)
			}
		}
	}()
	message, err := readMessage(client, false)
	var trip []byte
	for err == nil {
		trip = append(trip, message...)
		if ends := message[0] == 'S' || message[0] == 'Q'; ends && c.now() {
			if !c.after.Load() {
				return
			}
			lost.Store(true)
		}
		if _, err = server.Write(trip); err == nil {
			trip = trip[:0]
			message, err = readMessage(client, true)
		}
	}
}

// readMessage reads a message of the protocol of PostgreSQL; the first one has no type.
func readMessage(from io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 5)
	if !typed {
		head = head[:4]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[len(head)-4:])
	if size < 4 || size > 1<<24 {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size-4)
	_, err := io.ReadFull(from, body)
	return slices.Concat(head, body), err
}

// Each round trip to the database and each request to the bucket of each change fails once, before its effect or behind it with the answer lost,
// and the same call comes again. The answers are true, the end is as asked for, and nothing is left behind.
func TestFaultOfEachStep(t *testing.T) {
	for name, versioned := range map[string]bool{"versions": true, "no versions": false} {
		for _, place := range []string{"database", "bucket"} {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/after its effect %v", name, place, after), func(t *testing.T) {
					t.Parallel() // each waits most of the time, for the next try
					faultOfEachStep(t, versioned, place, after)
				})
			}
		}
	}
}

func faultOfEachStep(t *testing.T, versioned bool, place string, after bool) {
	o := options(t, versioned)
	trips, requests := new(cutTrips), &cutRequests{RoundTripper: o.Bucket.Transport}
	trips.inFrontOf(t, &o)
	o.Bucket.Transport = requests
	s := openStore(t, o)
	s.sweeping() // only the test sweeps
	l := &faultLab{t: t, s: s, o: o}
	faults := map[string]*cut{"database": &trips.cut, "bucket": &requests.cut}[place]
	for change := range changes {
		n := 1
		for ; l.scenario(fmt.Sprintf("%s, fault %d", change, n), change, faults, n, after); n++ {
		}
		if n < 2 {
			t.Errorf("%s: no step has failed", change)
		}
	}
	l.end()
}

type faultLab struct {
	t     *testing.T
	s     *Store
	o     Options
	users int
	live  int // pictures that there should be
}

// changes make a change of a user, and tell whether the user had a picture before and has one afterwards.
var changes = map[string]struct {
	before, after bool
	call          func(*faultLab, storage.UserKey) error
}{
	"first upload": {false, true, (*faultLab).upload},
	"replacement":  {true, true, (*faultLab).upload},
	"delete": {true, false, func(l *faultLab, u storage.UserKey) error {
		_, err := l.s.Remove(l.t.Context(), removalOf(u))
		return err
	}},
	"removal": {true, false, func(l *faultLab, u storage.UserKey) error {
		_, err := l.s.EraseUser(l.t.Context(), removalOf(u))
		return err
	}},
}

func (l *faultLab) upload(u storage.UserKey) error {
	_, err := l.s.Put(l.t.Context(), uploadOf(u, 700))
	return err
}

// scenario makes a change whose nth step fails, and makes it again when it has failed. It reports whether a step has failed.
func (l *faultLab) scenario(at, change string, faults *cut, n int, after bool) bool {
	t, s, c := l.t, l.s, changes[change]
	l.users++
	u := addUser(t, s, fmt.Sprintf("u%d", l.users))
	before := ""
	if c.before {
		before = put(t, s, u)
	}
	faults.arm(n, after)
	err := c.call(l, u)
	hit := faults.disarm()
	if err != nil && !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%s: %v, want %v", at, err, storage.ErrUnavailable)
	}
	if err != nil {
		if err = c.call(l, u); err != nil {
			t.Errorf("%s: the second time %v", at, err)
		}
	}
	if c.after {
		l.live++
	}
	p, err := s.Get(t.Context(), u, acme)
	if c.after != (err == nil) || c.after && (p.Generation == before || len(p.Data) != 700) {
		t.Errorf("%s: afterwards there are %d bytes, %v", at, len(p.Data), err)
	}
	if left := listedBelow(t, l.o, s.folders.of(u.Issuer, u.ID)); !c.after && len(left) > 0 || c.after && len(left) != 1 {
		t.Errorf("%s: listed afterwards: %v", at, left)
	}
	return hit && !t.Failed()
}

// end demands that a sweep leaves nothing to be done, and a check finds nothing.
func (l *faultLab) end() {
	t := l.t
	if _, err := l.s.pool.Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s' WHERE state <> 4`); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.s.sweepOnce(t.Context()), l.s.ErasuresDone(t.Context())); err != nil {
		t.Error(err)
	}
	if st := l.s.Stats(); st.Pending != 0 {
		t.Errorf("%d erasures are pending", st.Pending)
	}
	if found, sum := checked(t, l.s, false); len(found) > 0 || sum.UnderWay > 0 || sum.Pictures != int64(l.live) {
		t.Errorf("a check found %+v, %+v; want %d pictures", found, sum, l.live)
	}
}

// listedBelow is listed for a folder.
func listedBelow(t *testing.T, o Options, folder string) (names []string) {
	for _, name := range listed(t, o) {
		if strings.HasPrefix(name, folder) {
			names = append(names, name)
		}
	}
	return names
}
