package cluster

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// What cannot be reached is named, at the start and by Ready.
func TestWhatIsAwayIsNamed(t *testing.T) {
	const noDatabase, noBucket = "the database cannot be reached", "the bucket cannot be reached"
	o := options(t, false)
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"database": {func(o *Options) { o.Database = "host=/nowhere user=avatard password=secret dbname=x" }, noDatabase},
		"bucket":   {func(o *Options) { o.Bucket.Endpoint, o.Bucket.Transport = "http://127.0.0.1:1", nil }, noBucket},
	} {
		o := o
		c.change(&o)
		if _, err := Open(t.Context(), o, storage.OpenOptions{}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open without the %s = %v, want %q", name, err, c.want)
		}
	}
	s := openStore(t, o)
	ready := func(want ...string) {
		t.Helper()
		err := s.Ready(t.Context())
		if (err == nil) != (len(want) == 0) || err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Ready = %v, want %q", err, want)
		}
		for _, part := range []string{noDatabase, noBucket} {
			if there := err != nil && strings.Contains(err.Error(), part); there != (strings.Contains(strings.Join(want, " "), part)) {
				t.Errorf("Ready = %v, want %q", err, want)
			}
		}
	}
	ready()
	transport := o.Bucket.Transport.(*breakable)
	transport.script = scripted("GET", "", 503, "SlowDown")
	ready(noBucket)
	name := o.Database[strings.LastIndex(o.Database, "dbname=")+len("dbname="):]
	everybody := sqlOf(t, servers.DatabaseAddress("postgres"))
	allow := func(allowed string) {
		for _, statement := range []string{"ALTER DATABASE " + name + " ALLOW_CONNECTIONS " + allowed, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'"} {
			if _, err := everybody.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	allow("false")
	ready(noDatabase, noBucket)
	transport.script = nil
	for range 100 { // until all connections that were cut are noticed
		if err := s.Ready(t.Context()); err != nil && strings.Contains(err.Error(), "not currently accepting") {
			break
		}
	}
	ready(noDatabase)
	allow("true")
	ready()
}

// A picture that is on record and not in the bucket is served as none, logged and counted, and stays on record.
func TestMissingPictureIsCounted(t *testing.T) {
	o := options(t, false)
	var log bytes.Buffer
	s, err := Open(t.Context(), o, storage.OpenOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	o.Bucket.Transport.(*breakable).script = scripted(http.MethodGet, "", 404, "NoSuchKey")
	for n := uint64(1); n < 3; n++ {
		if _, err := s.Get(t.Context(), u, acme); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("Get = %v, want %v", err, storage.ErrNoPicture)
		}
		if got := s.Stats().Missing; got != n {
			t.Errorf("missing: %d, want %d", got, n)
		}
	}
	o.Bucket.Transport.(*breakable).script = scripted(http.MethodGet, "", 404, "NoSuchBucket")
	if _, err := s.Get(t.Context(), u, acme); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Get without the bucket = %v, want %v", err, storage.ErrUnavailable)
	}
	o.Bucket.Transport.(*breakable).script = nil
	if p, err := s.Get(t.Context(), u, acme); err != nil || p.Generation != generation {
		t.Errorf("Get afterwards = %q, %v, want the picture", p.Generation, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), generation) {
		t.Errorf("log: %s, want the generation %s", log.String(), generation)
	}
}
