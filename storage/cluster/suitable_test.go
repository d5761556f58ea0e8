package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
)

// answer is what an S3 server could answer: an error of a code, or XML.
func answer(status int, body string) *http.Response {
	if status >= http.StatusMultipleChoices {
		body = fmt.Sprintf(`<Error><Code>%s</Code><Message>no</Message></Error>`, body)
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/xml"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// scripted answers requests of a method and a query parameter.
func scripted(method, parameter string, status int, body string) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		if r.Method != method || parameter != "" && !r.URL.Query().Has(parameter) {
			return nil
		}
		return answer(status, body)
	}
}

// A bucket or a database with which the promise cannot be kept is refused, each with a sentence that says why; what is only worth knowing is
// told. Nothing is left behind.
func TestWhatIsUnsuitableIsRefused(t *testing.T) {
	const rule = `<ReplicationConfiguration><Role>r</Role><Rule><ID>all</ID><Status>Enabled</Status></Rule></ReplicationConfiguration>`
	const listing = `<ListBucketResult><Name>bucket</Name></ListBucketResult>`
	const expiry = `<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	for _, c := range []suitability{
		{name: "suitable"},
		{name: "default retention", prepare: lockBucket, refused: "default retention of 1 days"},
		{name: "suspended", prepare: suspend, told: "versioning is suspended"},
		{name: "no bucket", prepare: func(_ *testing.T, o *Options) { o.Bucket.Bucket = "nowhere" }, refused: `there is no bucket "nowhere"`},
		{name: "access key", prepare: func(_ *testing.T, o *Options) { o.Bucket.AccessKey = "nobody" }, refused: "does not know the access key; correct it"},
		{name: "secret", prepare: func(_ *testing.T, o *Options) { o.Bucket.SecretKey = "wrong" }, refused: "secret is not the one"},
		{name: "region", prepare: func(_ *testing.T, o *Options) { o.Bucket.Region = "elsewhere" }, refused: "correct the region"},
		{name: "clock", script: scripted("GET", "versioning", 403, "RequestTimeTooSkewed"), refused: "clocks"},
		{name: "other bucket", prepare: otherBucket, refused: "names another one"},
		{name: "bucket without identity", prepare: withPicture, refused: "has no object avatard-installation"},
		{name: "replicated", script: scripted("GET", "replication", 200, rule), refused: "replicated"},
		{name: "replication not implemented", script: scripted("GET", "replication", 501, "NotImplemented")},
		{name: "replication is a listing", script: scripted("GET", "replication", 200, listing)},
		{name: "replication makes no sense", script: scripted("GET", "replication", 400, "InvalidArgument"), refused: "means nothing"},
		{name: "replication forbidden", script: scripted("GET", "replication", 403, "AccessDenied"), refused: "may not ask for the bucket's replication"},
		{name: "replication forbidden, accepted", script: scripted("GET", "replication", 403, "AccessDenied"),
			prepare: func(_ *testing.T, o *Options) { o.AcceptUnknown = true }, told: "may not ask for the bucket's replication"},
		{name: "lifecycle", script: scripted("GET", "lifecycle", 200, expiry), told: "lifecycle rules"},
		{name: "deletes nothing", script: scripted("DELETE", "versionId", 204, ""), refused: "still listed"},
		{name: "read only", prepare: readOnly, refused: "name the primary"},
		{name: "fsync", prepare: serverSetting("fsync"), refused: "fsync is off"},
		{name: "full_page_writes", prepare: serverSetting("full_page_writes"), refused: "full_page_writes is off"},
	} {
		t.Run(c.name, c.test)
	}
}

// suitability is a database and a bucket, and what becomes of a start with them.
type suitability struct {
	name    string
	script  func(*http.Request) *http.Response
	prepare func(t *testing.T, o *Options)
	refused string // a part of the sentence
	told    string // likewise, of one that is logged
}

func (c suitability) test(t *testing.T) {
	o := options(t, true)
	if c.prepare != nil {
		c.prepare(t, &o)
	}
	before := []string(nil)
	if c.name != "no bucket" {
		before = listed(t, o)
	}
	o.Bucket.Transport.(*breakable).script = c.script
	stored := errors.Is(At(o).Vacant(t.Context()), storage.ErrStoreExists)
	var log bytes.Buffer
	s, err := Open(t.Context(), o, storage.OpenOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err == nil {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	switch {
	case c.refused == "" && err != nil:
		t.Errorf("Open = %v, want nil", err)
	case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
		t.Errorf("Open = %v, want an error that says %q", err, c.refused)
	}
	if err := At(o).Vacant(t.Context()); c.refused != "" && errors.Is(err, storage.ErrStoreExists) != stored {
		t.Errorf("Vacant after a start that was refused = %v", err)
	}
	if c.refused == "" && c.told == "" && log.Len() > 0 || !strings.Contains(log.String(), c.told) {
		t.Errorf("log: %s, want %q", log.String(), c.told)
	}
	if c.name != "no bucket" && c.name != "deletes nothing" {
		if left := listed(t, o); !slices.Equal(left, before) {
			t.Errorf("listed afterwards: %v, before: %v", left, before)
		}
	}
}

func lockBucket(t *testing.T, o *Options) {
	name := o.Bucket.Bucket + "-locked"
	if err := servers.Client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{Region: o.Bucket.Region, ObjectLocking: true}); err != nil {
		t.Fatal(err)
	}
	mode, days, unit := minio.Governance, uint(1), minio.Days
	if err := servers.Client.SetBucketObjectLockConfig(t.Context(), name, &mode, &days, &unit); err != nil {
		t.Fatal(err)
	}
	o.Bucket.Bucket = name
}

func suspend(t *testing.T, o *Options) {
	if err := servers.Client.SuspendVersioning(t.Context(), o.Bucket.Bucket); err != nil {
		t.Fatal(err)
	}
}

// otherBucket names the bucket of another installation.
func otherBucket(t *testing.T, o *Options) {
	other := options(t, true)
	openStore(t, other)
	o.Bucket.Bucket = other.Bucket.Bucket
}

// withPicture makes a store with a picture, and names an empty bucket for it.
func withPicture(t *testing.T, o *Options) {
	s := openStore(t, *o)
	put(t, s, addUser(t, s, "u"))
	o.Bucket.Bucket = servers.New(t, true).Bucket
}

func readOnly(t *testing.T, o *Options) {
	openStore(t, *o) // makes the tables
	name := strings.TrimPrefix(o.Database[strings.LastIndex(o.Database, "dbname="):], "dbname=")
	if _, err := sql(t, *o).Exec(t.Context(), "ALTER DATABASE "+name+" SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
}

// serverSetting switches a setting of the whole server off for a test.
func serverSetting(name string) func(*testing.T, *Options) {
	return func(t *testing.T, o *Options) {
		conn := sql(t, *o)
		set := func(ctx context.Context, command, want string) {
			for _, statement := range []string{"ALTER SYSTEM " + command, "SELECT pg_reload_conf()"} {
				if _, err := conn.Exec(ctx, statement); err != nil {
					t.Fatal(err)
				}
			}
			for value := ""; value != want; { // the server does it in its own time
				if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
					t.Fatal(err)
				}
			}
		}
		set(t.Context(), "SET "+name+" = off", "off")
		t.Cleanup(func() { set(context.Background(), "RESET "+name, "on") })
	}
}

// What becomes unsuitable while the store serves is told by Ready, until it is right again.
func TestUnsuitableWhileServing(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	script := &o.Bucket.Transport.(*breakable).script
	*script = scripted("GET", "replication", 403, "AccessDenied")
	s.examineAgain(t.Context())
	if err := s.Ready(t.Context()); !errors.Is(err, ErrUnsuitable) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Ready = %v, want %v", err, ErrUnsuitable)
	}
	*script = scripted("GET", "", 500, "InternalError")
	s.examineAgain(t.Context())
	if err := s.Ready(t.Context()); !errors.Is(err, ErrUnsuitable) {
		t.Errorf("Ready while the server cannot be asked = %v, want %v still", err, ErrUnsuitable)
	}
	*script = nil
	s.examineAgain(t.Context())
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
}

// A process that starts waits for others that bring the schema forward or examine the bucket, however long they take.
func TestStartWaitsForOthers(t *testing.T) {
	before := settings["lock_timeout"]
	settings["lock_timeout"] = "1ms"
	t.Cleanup(func() { settings["lock_timeout"] = before })
	for name, lock := range map[string]int64{"migration": migrationLock, "examination": examineLock} {
		t.Run(name, func(t *testing.T) {
			o := options(t, true)
			conn := sql(t, o)
			if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, lock); err != nil {
				t.Fatal(err)
			}
			opened := make(chan error, 1)
			var s *Store
			go func() {
				var err error
				s, err = Open(t.Context(), o, storage.OpenOptions{})
				opened <- err
			}()
			for seen := 0; seen < 20; { // in a millisecond it would have given up
				if len(opened) > 0 {
					t.Fatalf("Open = %v while another process has the lock", <-opened)
				}
				var waiting int
				if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
					t.Fatal(err)
				}
				seen += waiting
			}
			if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_unlock($1)`, lock); err != nil {
				t.Fatal(err)
			}
			if err := <-opened; err != nil {
				t.Fatalf("Open = %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The first start stores two objects: the canary, once, and the one that tells whose the bucket is.
func TestFirstStartExaminesOnce(t *testing.T) {
	o := options(t, true)
	if n := openStore(t, o).bucket.Requests.Counts().Put; n != 2 {
		t.Errorf("the first start stores %d objects, want 2", n)
	}
	if n := openStore(t, o).bucket.Requests.Counts().Put; n != 1 {
		t.Errorf("a later start stores %d objects, want 1", n)
	}
}
