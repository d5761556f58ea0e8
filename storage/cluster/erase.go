package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

const (
	// folderPage is how many objects of one person's folder that should not be there are erased between two looks at it. There may be any
	// number of them: each page is for good, and an erasure that ends before the last one is gone on with later.
	folderPage = 1000
	// maxLooks bounds how often a folder is looked at in one erasure without anything becoming less: once where the version that was kept is
	// all there is.
	maxLooks = 4
)

const (
	// sqlDone makes receipts of erasures. One of an upload that was given up is looked at again later.
	sqlDone = `
WITH d AS (DELETE FROM work WHERE gen = ANY($1) AND state = 3 AND reason <> 3 RETURNING gen, uid, reason, n, begun_at, org, caller, caller_org, request),
 k AS MATERIALIZED (SELECT gen, uid, reason, n, begun_at, org, caller, caller_org, request FROM work WHERE gen = ANY($1) AND state = 3 AND reason = 3 FOR UPDATE),
 l AS (UPDATE work SET state = 4, version = NULL, n = NULL, tries = 0, due = clock_timestamp() + interval '1 min' WHERE gen = ANY(ARRAY(SELECT gen FROM k)))
INSERT INTO receipt (gen, uid, reason, n, begun_at, erased_at, org, caller, caller_org, request)
SELECT gen, uid, reason, n, begun_at, clock_timestamp(), org, caller, caller_org, request FROM (SELECT * FROM d UNION ALL SELECT * FROM k) done
    ON CONFLICT (gen) DO NOTHING`

	// sqlLive lists what may lie in a person's folder. An upload is on record before its object is sent, so the answer holds for every
	// object that was listed before.
	sqlLive = `
SELECT gen FROM person WHERE uid = $1 AND gen IS NOT NULL UNION ALL SELECT gen FROM work WHERE uid = $1 AND state = 1`
)

// erase erases generations of a person and makes their receipts. When it returns nil the bucket lists nothing of them, no version and no
// delete marker, nor anything else in the person's folder that should not be there. known are generations that may lie there. All of it may be
// repeated, by any process.
func (s *Store) erase(ctx context.Context, uid int64, folder string, list []erasure, known ...generationID) error {
	gens := make([]generationID, len(list))
	for i, e := range list {
		gens[i] = e.gen
		if e.version == "" {
			continue
		}
		if err := s.bucket.Delete(ctx, folder+e.gen.String(), e.version); err != nil {
			return err
		}
	}
	if err := s.clean(ctx, uid, folder, gens, known); err != nil {
		return err
	}
	batch := new(pgx.Batch)
	batch.Queue(sqlDone, gens)
	if err := s.pipeline(ctx, batch); err != nil {
		return err
	}
	s.counters.update(func(stats *storage.Stats) { stats.Erased += uint64(len(gens)) })
	return nil
}

// eraseAll erases what a look has shown. Where there is nothing but uploads that were given up, what may have arrived of them is.
func (s *Store) eraseAll(ctx context.Context, p *person, user storage.UserKey) error {
	folder := s.folders.of(p.folder, user.ID)
	switch {
	case len(p.work) > 0:
		return s.erase(ctx, p.uid, folder, p.work)
	case p.strays:
		return s.clean(ctx, p.uid, folder, nil, nil)
	}
	return nil
}

// clean looks at a person's folder, a page at a time, until nothing is there that should not be.
func (s *Store) clean(ctx context.Context, uid int64, folder string, gone, known []generationID) error {
	may := map[generationID]bool{}
	for _, g := range known {
		may[g] = true
	}
	var before []bucket.Version // what the look before has found, and was deleted
	for looks := 0; looks < maxLooks; {
		left, more, err := s.bucket.Versions(ctx, folder, s.folderPage, func(v bucket.Version) bool { return allowed(folder, v, may) })
		if err != nil {
			return err
		}
		if hasOther(folder, left, gone) {
			if may, err = s.live(ctx, uid); err != nil {
				return err
			}
			left = slices.DeleteFunc(left, func(v bucket.Version) bool { return allowed(folder, v, may) })
		}
		if len(left) == 0 && !more {
			return nil
		}
		for _, v := range left {
			if err := s.bucket.Delete(ctx, v.Name, v.ID); err != nil {
				return err
			}
		}
		if !more || isAmong(left, before) {
			looks++
		}
		before = left
	}
	return fmt.Errorf("%w: after %d looks there are still objects", errNotEmpty, maxLooks)
}

var errNotEmpty = errors.New("the bucket does not let go of a picture")

// allowed reports whether a version is of a generation that may be there. A delete marker never may.
func allowed(folder string, v bucket.Version, may map[generationID]bool) bool {
	g, ok := generationOf(folder, v.Name)
	return ok && !v.Marker && may[g]
}

// isAmong reports whether the first of these versions is one of those.
func isAmong(these, those []bucket.Version) bool {
	return len(these) > 0 && slices.ContainsFunc(those, func(v bucket.Version) bool { return v.Name == these[0].Name && v.ID == these[0].ID })
}

// hasOther reports whether a version is of none of these generations, so that it has to be looked up.
func hasOther(folder string, found []bucket.Version, gens []generationID) bool {
	for _, v := range found {
		g, ok := generationOf(folder, v.Name)
		of := false
		for _, gen := range gens {
			of = of || ok && g == gen
		}
		if !of {
			return true
		}
	}
	return false
}

func (s *Store) live(ctx context.Context, uid int64) (map[generationID]bool, error) {
	rows, err := s.pool.Query(ctx, sqlLive, uid)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	live := map[generationID]bool{}
	var gen []byte
	_, err = pgx.ForEachRow(rows, []any{&gen}, func() error {
		live[generationID(gen)] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return live, nil
}
