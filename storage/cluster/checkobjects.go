package cluster

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// maxStrangers is how many objects of people whom the check does not know are looked up at once.
const maxStrangers = 1000

// listBucket looks for objects that should not be there.
func (c *check) listBucket(ctx context.Context) error {
	var strangers []bucket.Version
	err := c.bucket.All(ctx, func(v bucket.Version) error {
		if bucket.IsOwn(v.Name) {
			return nil
		}
		c.sum.Slots++
		i, ok := slices.BinarySearchFunc(c.people, folderDigits(v.Name), func(p owner, d [16]byte) int { return bytes.Compare(p.folder[:], d[:]) })
		if !ok && isObject(v.Name) {
			if strangers = append(strangers, v); len(strangers) < maxStrangers {
				return nil
			}
			defer func() { strangers = nil }()
			return c.lookUpStrangers(ctx, strangers)
		}
		if !ok {
			f := storage.Finding{Kind: storage.OrphanedBytes, Bytes: v.Size,
				Detail: fmt.Sprintf("the bucket lists %s, which is not a name of this program's; the bucket is to be its alone", v.Name)}
			return c.report(f, func() (string, error) { return "", nil })
		}
		p := &c.people[i]
		g, ok := generationOf(folderOf(v.Name), v.Name)
		if ok && !v.Marker && p.has && g == p.gen {
			p.seen = true
			c.progress(1)
			return nil
		}
		return c.lookUp(ctx, v, ` WHERE uid = $1`, p.uid)
	})
	if err != nil {
		return err
	}
	return c.lookUpStrangers(ctx, strangers)
}

// folderOf returns the folder of an object.
func folderOf(name string) string { return name[:strings.LastIndexByte(name, '/')+1] }

// lookUpStrangers looks for the people of objects: some may have been registered since the check has read who there is.
func (c *check) lookUpStrangers(ctx context.Context, list []bucket.Version) error {
	if len(list) == 0 {
		return nil
	}
	gens := make([]generationID, len(list))
	for i, v := range list {
		gens[i], _ = generationOf(folderOf(v.Name), v.Name)
	}
	known, err := c.known(ctx, ` WHERE gen = ANY($1)`, gens)
	for i, v := range list {
		if err == nil && (v.Marker || !known[gens[i]]) {
			err = c.reportOrphan(ctx, v)
		}
	}
	return err
}

// lookUp reports an object unless it is on record by now.
func (c *check) lookUp(ctx context.Context, v bucket.Version, where string, argument any) error {
	if g, ok := generationOf(folderOf(v.Name), v.Name); ok && !v.Marker {
		known, err := c.known(ctx, where, argument)
		if err != nil || known[g] {
			return err
		}
	}
	return c.reportOrphan(ctx, v)
}

// known returns the generations that are on record: active ones, uploads under way, and those that are to be erased.
func (c *check) known(ctx context.Context, where string, argument any) (map[generationID]bool, error) {
	known := map[generationID]bool{}
	err := c.patiently(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT gen FROM person`+where+` AND gen IS NOT NULL UNION ALL SELECT gen FROM work`+where+` AND state IN (1, 3)`, argument)
		if err != nil {
			return err
		}
		var gen []byte
		_, err = pgx.ForEachRow(rows, []any{&gen}, func() error {
			known[generationID(gen)] = true
			return nil
		})
		return err
	})
	return known, err
}

// reportOrphan reports an object, if it is still there: it may have been erased since it was listed.
func (c *check) reportOrphan(ctx context.Context, v bucket.Version) error {
	now, _, err := c.bucket.Versions(ctx, v.Name, 1, func(w bucket.Version) bool { return w.Name != v.Name || w.ID != v.ID })
	if err != nil || len(now) == 0 {
		return err
	}
	f := storage.Finding{Kind: storage.OrphanedBytes, Bytes: v.Size, Detail: fmt.Sprintf("the bucket lists %s, which nobody's record names", v.Name)}
	if v.Marker {
		f.Detail = fmt.Sprintf("the bucket has a delete marker for %s; it may hide the picture", v.Name)
	}
	if g, ok := generationOf(folderOf(v.Name), v.Name); ok {
		f.Generation = g.String()
	}
	return c.report(f, func() (string, error) { return "erased", c.bucket.Delete(ctx, v.Name, v.ID) })
}
