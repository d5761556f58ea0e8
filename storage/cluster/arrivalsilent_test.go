package cluster

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// silence makes connections to the database that take everything, and, while it is on, never answer.
type silence struct{ on atomic.Bool }

type silentConn struct {
	net.Conn
	s *silence
}

func (s *silence) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &silentConn{conn, s}, err
}

func (c *silentConn) Write(p []byte) (int, error) {
	if c.s.on.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Every step of an arrival ends with its context where the database or the bucket never answers, and can be done again.
func TestArrivalWithoutAnswers(t *testing.T) {
	t.Parallel() // it waits most of the time, for connections that are given up to be closed
	o := options(t, false)
	s, b := new(silence), o.Bucket.Transport.(*breakable)
	o.dial = s.dial
	a := arrive(t, o)
	users := []storage.ArrivingUser{arrivingUser(1, "one", "first picture")}
	note := []storage.Record{storage.StoreRecord{ID: moving}, storage.OrganizationRecord{ID: acme, Created: 1}}
	steps := map[string]func(context.Context) error{
		"Note":   func(ctx context.Context) error { return a.Note(ctx, note) },
		"Take":   func(ctx context.Context) error { _, err := a.Take(ctx, users, true); return err },
		"Follow": func(ctx context.Context) error { return a.Follow(ctx, users[0].User, nil, false) },
		"Finish": a.Finish,
	}
	silently := func(name string) {
		limited, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := steps[name](limited); err == nil {
			t.Errorf("%s without an answer = nil", name)
		}
	}
	for _, name := range []string{"Note", "Take", "Follow", "Finish"} {
		s.on.Store(true)
		silently(name)
		s.on.Store(false)
		if name == "Take" {
			b.script = func(r *http.Request) *http.Response {
				<-r.Context().Done()
				return nil
			}
			silently(name)
			b.script = nil
		}
		if err := steps[name](t.Context()); err != nil {
			t.Errorf("%s again = %v", name, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
