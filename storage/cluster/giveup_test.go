package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// begunUpload begins an upload as Put does, and stores its object.
func begunUpload(t *testing.T, s *Store, id string) *uploading {
	t.Helper()
	u := addUser(t, s, id)
	up := &uploading{s: s, up: uploadOf(u, 800), gen: newGeneration(), size: 800}
	var err error
	if up.ciphertext, up.key, err = s.keys.Seal(up.gen[:], up.up.Picture.Data); err != nil {
		t.Fatal(err)
	}
	if _, _, err := up.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if up.version, err = s.bucket.Put(t.Context(), s.folders.of(up.person.folder, u.ID)+up.gen.String(), up.ciphertext); err != nil {
		t.Fatal(err)
	}
	return up
}

// abandonedUpload begins an upload and gives it up. folder is its user's.
func abandonedUpload(t *testing.T, s *Store, id string) (u *uploading, folder string) {
	t.Helper()
	u = begunUpload(t, s, id)
	folder = s.folders.of(u.person.folder, u.up.User.ID)
	if err := s.abandon(t.Context(), u.person, u.gen, folder); err != nil {
		t.Fatal(err)
	}
	return u, folder
}

// An upload may be put in place at the very moment at which it is given up: by its own process, whose statement was answered too late, or by a
// sweeper that found it overdue. Then the picture stays.
func TestPictureInPlaceIsNotGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(context.Context, *uploading, []task) error{
		"by its own process": func(ctx context.Context, u *uploading, _ []task) error {
			return u.s.abandon(ctx, u.person, u.gen, u.s.folders.of(u.person.folder, u.up.User.ID))
		},
		"by the sweeper": func(ctx context.Context, u *uploading, due []task) error {
			return u.s.do(ctx, due[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, true)
			s := openStore(t, o)
			s.sweeping() // only the test sweeps
			u := begunUpload(t, s, "u")
			if _, err := sql(t, o).Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s'`); err != nil {
				t.Fatal(err)
			}
			due, err := s.due(t.Context())
			if err != nil || len(due) != 1 {
				t.Fatalf("due: %v, %v, want one", due, err)
			}
			if _, _, err := u.activate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := giveUp(t.Context(), u, due); err != nil {
				t.Errorf("giving up = %v", err)
			}
			if p, err := s.Get(t.Context(), u.up.User, acme); err != nil || p.Generation != u.gen.String() {
				t.Errorf("Get = %q, %v, want the picture %s", p.Generation, err, u.gen)
			}
		})
	}
}

// An upload that is under way is nothing that a look shows as to be erased.
func TestUploadUnderWayIsNotErased(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.sweeping() // it gives uploads up
	u := begunUpload(t, s, "u")
	batch, p := new(pgx.Batch), new(person)
	p.look(batch, u.up.User)
	if err := s.pipeline(t.Context(), batch); err != nil || len(p.work) > 0 || p.strays || !p.claimed {
		t.Errorf("a look = %+v, %v, want a claim and nothing to erase", p, err)
	}
}

// Of two processes that erase the same upload, the one that comes later does not begin its looks anew.
func TestUploadThatIsErasedTwice(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.sweeping() // only the test erases
	u, folder := abandonedUpload(t, s, "u")
	conn := sql(t, o)
	if _, err := conn.Exec(t.Context(), `UPDATE work SET tries = 2`); err != nil {
		t.Fatal(err)
	}
	if err := s.erase(t.Context(), u.person.uid, folder, []erasure{{gen: u.gen, version: u.version}}); err != nil {
		t.Errorf("the second erasure = %v", err)
	}
	var tries, receipts int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT tries FROM work WHERE state = 4), (SELECT count(*) FROM receipt)`).Scan(&tries, &receipts); err != nil || tries != 2 || receipts != 1 {
		t.Errorf("after it: %d looks and %d receipts, %v, want 2 and 1", tries, receipts, err)
	}
}

// A look at the folder of an upload that was given up counts only when it was made: while the bucket is away, none is passed over.
func TestLooksThatFailDoNotCount(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	s.sweeping() // only the test sweeps
	abandonedUpload(t, s, "u")
	transport, conn := o.Bucket.Transport.(*breakable), sql(t, o)
	look := func() {
		if _, err := conn.Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s'`); err != nil {
			t.Fatal(err)
		}
		if err := s.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	transport.script = scripted("GET", "", 403, "AccessDenied")
	for range 2 * len(looksAgain) {
		look()
	}
	transport.script = nil
	look()
	var until time.Duration
	if err := conn.QueryRow(t.Context(), `SELECT due - clock_timestamp() FROM work WHERE state = 4`).Scan(&until); err != nil || until < looksAgain[1]/2 || until > looksAgain[1] {
		t.Errorf("the next look is in %v, %v, want %v", until, err, looksAgain[1])
	}
}

// While nothing can be erased, a sweep tries a few of many erasures and each of them less and less often.
func TestErasuresThatFailAreTriedLessOften(t *testing.T) {
	t.Parallel() // it waits most of the time
	o := options(t, true)
	s := openStore(t, o)
	s.sweeping() // only the test sweeps
	addUser(t, s, "u")
	conn := sql(t, o)
	if _, err := conn.Exec(t.Context(), `INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due)
		SELECT decode(md5(i::text), 'hex'), 1, 3, 1, 'x', i, now(), now() - interval '1 h' FROM generate_series(1, 100) i`); err != nil {
		t.Fatal(err)
	}
	o.Bucket.Transport.(*breakable).broken.Store(true)
	for range 3 {
		if err := s.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		var tried int
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM work WHERE due > now()`).Scan(&tried); err != nil || tried != sweepBatch {
			t.Fatalf("one sweep has tried %d erasures, %v, want %d", tried, err, sweepBatch)
		}
		if _, err := conn.Exec(t.Context(), `UPDATE work SET due = now() - interval '2 h' WHERE tries > 0`); err != nil {
			t.Fatal(err)
		}
	}
	for tries, want := range map[int]time.Duration{0: claimLimit, 1: 2 * claimLimit, 5: 32 * claimLimit, 40: 32 * claimLimit} {
		if _, err := conn.Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s', tries = $1`, tries); err != nil {
			t.Fatal(err)
		}
		if _, err := s.due(t.Context()); err != nil {
			t.Fatal(err)
		}
		var until time.Duration
		if err := conn.QueryRow(t.Context(), `SELECT max(due) - clock_timestamp() FROM work`).Scan(&until); err != nil || until > want || until < want/2 {
			t.Errorf("after %d tries the next one is in %v, %v, want %v", tries, until, err, want)
		}
	}
}

// An upload ahead of a delete is given up between the delete's intent, which it held off, and the look behind that: the picture of before is still
// there, and the delete goes on until it is gone.
func TestUploadAheadIsGivenUpBeforeTheLook(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	_, err := sql(t, o).Exec(t.Context(), `
		UPDATE person SET claim = gen, claim_due = now() + interval '1 h';
		CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE person SET claim = NULL, claim_due = NULL; RETURN NULL; END $$;
		CREATE TRIGGER give_up AFTER INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION give_up()`)
	if err != nil {
		t.Fatal(err)
	}
	if res := remove(t, s, u); res.Details.Sequence != 3 {
		t.Errorf("Remove = %+v, want sequence 3", res)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}
