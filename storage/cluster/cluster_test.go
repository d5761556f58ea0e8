package cluster

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/storage/cluster/internal/envelope"
	"example.org/avatard/storage/storagetest"
)

var servers *clustertest.Servers

func TestMain(m *testing.M) {
	if o := os.Getenv(overTLS); o != "" {
		os.Exit(openElsewhere(o))
	}
	// Tests that run beside each other wait most of the time, so there may be more of them than processors.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(clustertest.RunTests(m, &servers))
}

// breakable fails requests on demand.
type breakable struct {
	*http.Transport
	broken atomic.Bool // deletions fail
	lose   atomic.Bool // requests that store something fail, and are kept
	mu     sync.Mutex
	late   []*http.Request
	script func(*http.Request) *http.Response // answers in place of the server, unless it returns nil
}

func (b *breakable) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.script != nil {
		if answer := b.script(r); answer != nil {
			answer.Request = r
			return answer, nil
		}
	}
	switch {
	case r.Method == http.MethodDelete && b.broken.Load():
		return nil, errors.New("the network is down")
	case r.Method == http.MethodPut && b.lose.Load():
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		kept := r.Clone(context.Background())
		kept.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.late = append(b.late, kept)
		return nil, errors.New("the network is down")
	}
	return b.Transport.RoundTrip(r)
}

// deliver sends the requests that were kept, whose senders have gone.
func (b *breakable) deliver(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.late {
		answer, err := b.Transport.RoundTrip(r)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("a late request: %v, %v", answer, err)
		}
		_ = answer.Body.Close()
	}
	b.late = nil
}

// states are stores by the names that the suite gives them.
type states struct {
	t         *testing.T
	versioned bool
	mu        sync.Mutex
	made      map[string]Options
}

func (s *states) options(state string) Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.made[state]
	if !ok {
		o = options(s.t, s.versioned)
		s.made[state] = o
	}
	return o
}

func options(t *testing.T, versioned bool) Options {
	t.Helper()
	made := servers.New(t, versioned)
	keys := filepath.Join(t.TempDir(), "keys")
	if err := envelope.Generate(keys, "first"); err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	o := Options{Database: made.Database, KeyFile: keys, Bucket: servers.BucketOptions(made)}
	o.Bucket.Transport = &breakable{Transport: transport}
	return o
}

// The contract of package storage, on a bucket with versions and on one without.
func TestContract(t *testing.T) {
	for name, versioned := range map[string]bool{"versions": true, "no versions": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &states{t: t, versioned: versioned, made: map[string]Options{}}
			storagetest.Run(t, storagetest.Harness{
				Parallel: true,
				Open: func(ctx context.Context, state string, now func() time.Time) (storage.Store, error) {
					return Open(ctx, s.options(state), storage.OpenOptions{Now: now})
				},
				Refusals: func(state string) ([]storage.Refusal, error) { return refusalsOf(t.Context(), s.options(state)) },
				Break: func(state string) (heal func()) {
					b := s.options(state).Bucket.Transport.(*breakable)
					b.broken.Store(true)
					return func() { b.broken.Store(false) }
				},
				Kill: func(state string) (string, error) {
					left := state + " after a kill" // a process that is dead leaves what one that is busy has
					s.mu.Lock()
					defer s.mu.Unlock()
					s.made[left] = s.made[state]
					return left, nil
				},
			})
		})
	}
}

func refusalsOf(ctx context.Context, o Options) (list []storage.Refusal, err error) {
	conn, err := pgx.Connect(ctx, o.Database+" search_path=avatard")
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT action, result, caller, caller_org, org, target, request, dropped FROM audit WHERE refusal ORDER BY n`)
	if err != nil {
		return nil, err
	}
	var r storage.Refusal
	_, err = pgx.ForEachRow(rows, []any{&r.Action, &r.Reason, &r.By.Caller, &r.By.CallerOrganization, &r.Organization, &r.Target, &r.By.RequestID, &r.Dropped}, func() error {
		list = append(list, r)
		return nil
	})
	return list, err
}
