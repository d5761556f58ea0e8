package storagetest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"example.org/avatard/storage"
)

// Names that most checks use.
const (
	acme   = "69629023906488334"
	globex = "69629023906488335"
)

func user(id string) storage.UserKey {
	return storage.UserKey{Issuer: "https://issuer.test", ID: id}
}

func origin() storage.Origin {
	return storage.Origin{Caller: "suite", CallerOrganization: acme, RequestID: "request-1"}
}

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start is neither a whole number of microseconds nor in UTC: a store has to make it both.
func start() time.Time {
	return time.Date(2026, 3, 1, 10, 20, 30, 123_456_789, time.FixedZone("test", 5400))
}

// fixture is a store under test. Its methods end the check when a call that must succeed does not; only the
// goroutine of the check may use those.
type fixture struct {
	TB
	h     Harness
	state string
	clock *clock
	store storage.Store
}

func open(t TB, h Harness) *fixture {
	t.Helper()
	f := &fixture{TB: t, h: h, state: t.TempDir(), clock: &clock{now: start()}}
	f.openAgain()
	t.Cleanup(func() {
		if f.store == nil {
			return
		}
		if err := f.store.Close(); err != nil {
			t.Errorf("Close at the end = %v, want nil", err)
		}
	})
	return f
}

func (f *fixture) openAgain() {
	f.Helper()
	s, err := f.h.Open(f.Context(), f.state, f.clock.Now)
	if err != nil {
		f.store = nil
		f.Fatalf("Open = %v, want nil", err)
	}
	f.store = s
}

// reopen closes the store and opens the same data again.
func (f *fixture) reopen() {
	f.Helper()
	s := f.store
	f.store = nil
	if err := s.Close(); err != nil {
		f.Fatalf("Close = %v, want nil", err)
	}
	f.openAgain()
}

// lasting runs look on the store as it is and after each of two reopenings.
func (f *fixture) lasting(look func(when string)) {
	f.Helper()
	look("before reopening")
	f.reopen()
	look("reopened")
	f.reopen()
	look("reopened twice")
}

func (f *fixture) addUser(u storage.UserKey, org string) storage.Result {
	f.Helper()
	res, _, err := f.store.AddUser(f.Context(), u, org, origin())
	if err != nil {
		f.Fatalf("AddUser(%.60q, %.60q) = %v, want nil", u, org, err)
	}
	return res
}

// peek returns the user's record: adding a user who is registered changes nothing.
func (f *fixture) peek(u storage.UserKey, org string) storage.Result {
	f.Helper()
	res, created, err := f.store.AddUser(f.Context(), u, org, origin())
	if err != nil || created {
		f.Fatalf("AddUser(%.60q) of a registered user = created %v, %v, want false, nil", u, created, err)
	}
	if info := f.stat(u, org); !sameDetails(info.Details, res.Details) {
		f.Errorf("Stat(%.60q) = %+v, want the record %+v", u, info, res.Details)
	}
	return res
}

func upload(u storage.UserKey, org string, data []byte) storage.Upload {
	return storage.Upload{
		User: u, Organization: org, By: origin(),
		Picture: storage.Picture{Format: storage.PNG, Data: data},
	}
}

func removal(u storage.UserKey, org string) storage.Removal {
	return storage.Removal{User: u, Organization: org, By: origin()}
}

func (f *fixture) put(u storage.UserKey, org string, data []byte) storage.Result {
	f.Helper()
	res, err := f.store.Put(f.Context(), upload(u, org, data))
	if err != nil {
		f.Fatalf("Put(%.60q, %d bytes) = %v, want nil", u, len(data), err)
	}
	return res
}

func (f *fixture) remove(u storage.UserKey, org string) storage.Result {
	f.Helper()
	res, err := f.store.Remove(f.Context(), removal(u, org))
	if err != nil {
		f.Fatalf("Remove(%.60q) = %v, want nil", u, err)
	}
	return res
}

// wantPicture demands that exactly these bytes are served.
func (f *fixture) wantPicture(u storage.UserKey, org string, data []byte) storage.Picture {
	f.Helper()
	p, err := f.store.Get(f.Context(), u, org)
	if err != nil {
		f.Fatalf("Get(%.60q) = %v, want a picture of %d bytes", u, err, len(data))
	}
	if !bytes.Equal(p.Data, data) {
		f.Fatalf("Get(%.60q) = %d bytes that differ from the %d stored", u, len(p.Data), len(data))
	}
	want := storage.Info{Generation: p.Generation, Format: p.Format, Size: int64(len(data))}
	info := f.stat(u, org)
	if info.Details = (storage.Details{}); info != want {
		f.Errorf("Stat(%.60q) = %+v, want %+v", u, info, want)
	}
	return p
}

// stat returns the Info of a registered user.
func (f *fixture) stat(u storage.UserKey, org string) storage.Info {
	f.Helper()
	info, err := f.store.Stat(f.Context(), u, org)
	if err != nil {
		f.Fatalf("Stat(%.60q) = %v, want nil", u, err)
	}
	return info
}

func (f *fixture) wantNone(u storage.UserKey, org string) {
	f.Helper()
	p, err := f.store.Get(f.Context(), u, org)
	f.wantErr(err, storage.ErrNoPicture, "Get(%.60q)", u)
	if len(p.Data) > 0 {
		f.Fatalf("Get(%.60q) = %d bytes beside its error", u, len(p.Data))
	}
	info := f.stat(u, org)
	if info.Details = (storage.Details{}); info != (storage.Info{}) {
		f.Errorf("Stat(%.60q) = %+v, want no picture", u, info)
	}
}

func (f *fixture) wantErr(err, want error, format string, args ...any) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf(format+" = %v, want %v", append(args, err, want)...)
	}
}

// same demands that two results are equal, times as instants.
func (f *fixture) same(got, want storage.Result, format string, args ...any) {
	f.Helper()
	if !sameResult(got, want) {
		f.Errorf(format+" = %+v, want %+v", append(args, got, want)...)
	}
}

func sameResult(a, b storage.Result) bool {
	return a.Receipt == b.Receipt && sameDetails(a.Details, b.Details)
}

func sameDetails(a, b storage.Details) bool {
	return a.Sequence == b.Sequence && a.Organization == b.Organization &&
		a.CreationDate.Equal(b.CreationDate) && a.ChangeDate.Equal(b.ChangeDate)
}

// sample returns bytes that depend on seed alone, without repetitions.
func sample(seed uint64, size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(size), byte(size >> 8)}).Read(data)
	return data
}

// together runs f(0) … f(n-1) at once and returns when all are done.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			f(i)
		})
	}
	close(gate)
	wg.Wait()
}

// ended returns a context that was cancelled before it was handed out.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
