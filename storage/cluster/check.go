package cluster

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

const (
	// checkOverdue is how long something may be due before a check reports it: the sweeper of some process comes by before.
	checkOverdue = time.Minute
	checkPage    = 1000
)

// Check implements [storage.Keeper]. It reads who there is, then lists the whole bucket, then reads each picture. What looks wrong is looked
// at again, together with the row as it is then: the store is in use. In memory it has 48 bytes for each person.
func (s *Store) Check(ctx context.Context, o storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	if err := s.enter(); err != nil {
		return storage.CheckSummary{}, err
	}
	defer s.exit()
	if !s.checking.CompareAndSwap(false, true) {
		return storage.CheckSummary{}, storage.ErrChecking
	}
	defer s.checking.Store(false)
	c := &check{Store: s, o: o, found: found}
	err := c.run(ctx)
	return c.sum, err
}

type check struct {
	*Store
	o      storage.CheckOptions
	found  func(storage.Finding) error
	sum    storage.CheckSummary
	people []owner // in the order of their folders
	done   int64
	total  int64
}

// owner is a person, for a check.
type owner struct {
	folder [16]byte
	gen    generationID
	uid    int64
	has    bool // a picture
	seen   bool // among the objects
}

func (c *check) run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{c.readPeople, c.checkWork, c.listBucket, c.readPictures} {
		if err := part(ctx); err != nil {
			return unavailable(ctx, err)
		}
	}
	return nil
}

func (c *check) progress(more int64) {
	if c.done += more; c.o.Progress != nil {
		c.o.Progress(c.done, max(c.total, c.done))
	}
}

func (c *check) report(f storage.Finding, repair func() (string, error)) error {
	c.sum.Findings++
	if c.o.Repair {
		done, err := repair()
		switch {
		case err != nil:
			f.Repair = "failed"
			c.log.Error("what a check found could not be repaired", "finding", f.Kind, "generation", f.Generation, "error", err)
		case done == "":
			f.Repair = "none: what is true cannot be told"
		default:
			f.Repaired, f.Repair = true, done
			c.sum.Repaired++
		}
	}
	return c.found(f)
}

// readPeople reads everybody, page by page.
func (c *check) readPeople(ctx context.Context) error {
	for last := int64(0); ; {
		rows, err := c.pool.Query(ctx, `SELECT p.uid, p.id, i.folder, p.gen FROM person p JOIN issuer i ON i.iid = p.iid WHERE p.uid > $1 ORDER BY p.uid LIMIT $2`, last, checkPage)
		if err != nil {
			return err
		}
		n := 0
		var id, folder string
		var gen []byte
		_, err = pgx.ForEachRow(rows, []any{&last, &id, &folder, &gen}, func() error {
			n++
			p := owner{uid: last, has: gen != nil}
			copy(p.gen[:], gen)
			p.folder = folderDigits(c.folders.of(folder, id))
			c.people = append(c.people, p)
			return nil
		})
		if err != nil {
			return err
		}
		if n < checkPage {
			break
		}
	}
	slices.SortFunc(c.people, func(a, b owner) int { return bytes.Compare(a.folder[:], b.folder[:]) })
	c.sum.Users = int64(len(c.people))
	c.total = 2 * c.sum.Users
	return c.patiently(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM receipt`).Scan(&c.sum.Receipts)
	})
}

// folderDigits are the 16 bytes that a folder's name stands for.
func folderDigits(folder string) (d [16]byte) {
	if parts := strings.Split(folder, "/"); len(parts) > 2 {
		if b, err := hex.DecodeString(parts[2]); err == nil {
			copy(d[:], b)
		}
	}
	return d
}

// checkWork looks for what nobody has finished.
func (c *check) checkWork(ctx context.Context) error {
	rows, err := c.pool.Query(ctx, `
SELECT w.gen, w.uid, w.state, coalesce(w.version, ''), w.tries, p.id, i.folder, i.url, w.begun_at < clock_timestamp() - $1::interval
  FROM work w JOIN person p ON p.uid = w.uid JOIN issuer i ON i.iid = p.iid WHERE w.state IN (1, 3) ORDER BY w.begun_at`, checkOverdue)
	if err != nil {
		return err
	}
	type unfinished struct {
		task
		id, issuer string
		overdue    bool
	}
	var list []unfinished
	var u unfinished
	var gen []byte
	var folder string
	_, err = pgx.ForEachRow(rows, []any{&gen, &u.uid, &u.state, &u.version, &u.tries, &u.id, &folder, &u.issuer, &u.overdue}, func() error {
		u.gen, u.folder = generationID(gen), c.folders.of(folder, u.id)
		list = append(list, u)
		return nil
	})
	if err != nil {
		return err
	}
	for _, u := range list {
		if c.sum.UnderWay++; !u.overdue {
			continue
		}
		f := storage.Finding{Kind: storage.ErasureUnfinished, Generation: u.gen.String(), User: u.id, Issuer: u.issuer,
			Detail: fmt.Sprintf("the picture was to be erased more than %s ago, and is not", checkOverdue)}
		if u.state == 1 {
			f.Kind, f.Detail = storage.UploadUnfinished, "the process that stored the picture has not finished"
		}
		err := c.report(f, func() (string, error) { return "erased", c.do(ctx, u.task) })
		if err != nil {
			return err
		}
	}
	return nil
}

// readPictures reads every picture that is on record.
func (c *check) readPictures(ctx context.Context) error {
	for i := range c.people {
		p := &c.people[i]
		if !p.has {
			c.progress(2)
			continue
		}
		c.sum.Pictures++
		if err := c.readPicture(ctx, p); err != nil {
			return err
		}
		if c.progress(1); !p.seen {
			c.progress(1)
		}
	}
	return nil
}

// sqlPictureOf is what a check reads of a person, as it is at that moment.
const sqlPictureOf = `
SELECT p.id, i.url, i.folder, p.gen, p.key, p.version, p.size FROM person p JOIN issuer i ON i.iid = p.iid WHERE p.uid = $1 AND p.gen IS NOT NULL`

// readPicture reads a picture, and again when it was replaced meanwhile.
func (c *check) readPicture(ctx context.Context, p *owner) error {
	var before []byte
	for range readTries {
		var id, issuer, folder, version string
		var gen, key []byte
		var size int
		err := c.pool.QueryRow(ctx, sqlPictureOf, p.uid).Scan(&id, &issuer, &folder, &gen, &key, &version, &size)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		name := c.folders.of(folder, id) + generationID(gen).String()
		data, err := c.bucket.Get(ctx, name, version, storage.MaxPictureBytes+envelope.Overhead)
		f := storage.Finding{Generation: hex.EncodeToString(gen), User: id, Issuer: issuer}
		switch {
		case errors.Is(err, bucket.ErrNotFound) && !bytes.Equal(gen, before):
			before = gen
			continue
		case errors.Is(err, bucket.ErrNotFound):
			f.Kind, f.Detail = storage.PictureMissing, "the bucket has no such object"
		case err != nil:
			return err
		default:
			picture, err := c.keys.Open(gen, data, key)
			if err == nil && len(picture) == size {
				return nil
			}
			f.Kind, f.Detail = storage.PictureUnreadable, "the object is not the one that was stored"
			switch { // with the right key it can be read, so nothing is repaired
			case errors.Is(err, envelope.ErrNoKey):
				f.Detail = "the file of keys does not have the key that wraps this picture's"
				return c.report(f, nothing)
			case errors.Is(err, envelope.ErrOtherKey):
				f.Detail = "the file of keys has another key under the id of the one that wraps this picture's"
				return c.report(f, nothing)
			}
		}
		return c.report(f, func() (string, error) { return c.takeOffRecord(ctx, p.uid, gen) })
	}
	c.sum.UnderWay++
	return nil
}

// nothing repairs nothing.
func nothing() (string, error) { return "", nil }

// takeOffRecord ends a picture that cannot be served, as a removal would. It returns "" when the record has changed meanwhile. Before, it
// looks whether the bucket is still the one of this store: in another one everybody's picture is missing.
func (c *check) takeOffRecord(ctx context.Context, uid int64, gen []byte) (string, error) {
	var id []byte
	if err := c.pool.QueryRow(ctx, `SELECT bucket_id FROM installation`).Scan(&id); err != nil {
		return "", err
	}
	if err := c.bucket.Claim(ctx, hex.EncodeToString(id), false); err != nil {
		return "", err
	}
	batch, taken := new(pgx.Batch), false
	queueMade(batch, &taken, `
WITH p AS MATERIALIZED (SELECT p.uid, p.gen, p.version, p.org, p.id FROM person p WHERE p.uid = $1 AND p.gen = $2 AND p.claim IS NULL FOR UPDATE),
 u AS (UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = p.gen,
          sequence = person.sequence + 1, changed_at = greatest(person.changed_at, $3) FROM p WHERE person.uid = p.uid),
 e AS (INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due, org, caller, caller_org, request)
       SELECT gen, uid, 3, 4, version, nextval('receipt_number'), $3, clock_timestamp(), org, $4, $5, $6 FROM p)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request) SELECT $3, 'repair', 'done', $4, $5, org, id, $6 FROM p`,
		uid, gen, c.date(), c.o.By.Caller, c.o.By.CallerOrganization, c.o.By.RequestID)
	if err := c.pipeline(ctx, batch); err != nil || !taken {
		return "", err
	}
	return "taken off the record", nil
}
