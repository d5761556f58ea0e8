package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
)

// CheckDir is Check for the store in cfg.Dir while no process serves it; storage.ErrInUse when one does. It also asks SQLite to
// check the whole database file, and reports tables and columns that are missing.
//
// Without a repair not one file is changed, and what an earlier process left undone is reported as a finding. With a repair
// the store is opened, which finishes that as every start does, and then checked; a store that cannot be opened is an error.
func CheckDir(ctx context.Context, cfg Config, opt storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	if opt.Repair {
		return repairDir(ctx, cfg, opt, found)
	}
	c := &checker{opt: opt, found: found, alone: true}
	err := withMetadata(cfg, func(db *database) (err error) {
		if _, err := db.conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
			return err
		}
		version, err := db.version(migrations)
		if err != nil {
			return err
		}
		if version < len(migrations) {
			return fmt.Errorf("the schema has version %d, this program checks version %d: bring it forward with \"avatard migrate\"", version, len(migrations))
		}
		if err := db.conn.Exec(`PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000`); err != nil {
			return err
		}
		if c.lacks, err = db.prepareAll(); err != nil {
			return err
		}
		pictures, err := slab.OpenToRead(datadir.Dir{Path: cfg.Dir, Wrap: cfg.WrapFile}, slabName) // one that is missing shows as a file that is too short
		if err != nil {
			return err
		}
		c.s = &Store{db: db, slab: pictures}
		return errors.Join(c.run(ctx), pictures.Close())
	})
	return c.sum, err
}

// repairDir opens the store, which finishes what was left undone, and checks it.
func repairDir(ctx context.Context, cfg Config, opt storage.CheckOptions, found func(storage.Finding) error) (sum storage.CheckSummary, err error) {
	if _, err := os.Lstat(filepath.Join(cfg.Dir, databaseName)); errors.Is(err, fs.ErrNotExist) {
		return sum, fmt.Errorf("%w in %s", storage.ErrNoStore, cfg.Dir) // Open would make one
	}
	c := &checker{opt: opt, found: found, alone: true, live: true}
	var reported error
	s, err := openStore(ctx, cfg, func(s *Store) { reported = c.finishUnfinished(s) })
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if reported != nil {
		return c.sum, reported
	}
	s.checking.Store(true)
	c.s = s
	err = c.run(ctx)
	return c.sum, err
}

// finishUnfinished finishes what is unfinished, as every start does, and reports what that was. The store has all of it in memory.
func (c *checker) finishUnfinished(s *Store) error {
	var all []storage.Finding
	for _, l := range s.orphans {
		all = append(all, storage.Finding{Kind: storage.UploadUnfinished, Page: l.slot, Generation: hex.EncodeToString(l.id[:]),
			Detail: "the upload was neither finished nor erased when the server ended"})
	}
	for _, e := range s.erasures.open {
		all = append(all, storage.Finding{Kind: storage.ErasureUnfinished, Page: e.slot, Receipt: e.receipt,
			Detail: "the erasure was not finished, or not on record, when the server ended"})
	}
	s.finishUnfinished()
	still := make(map[int64]bool) // the check looks at these again
	for _, l := range s.orphans {
		still[l.slot] = true
	}
	for _, e := range s.erasures.open {
		still[e.slot] = true
	}
	for _, f := range all {
		if still[f.Page] {
			continue
		}
		f.Repaired, f.Repair = true, "erased"
		c.sum.Findings++
		c.sum.Repaired++
		if err := c.found(f); err != nil {
			return err
		}
	}
	return nil
}

// checkLacking reports what the schema lacks.
func (c *checker) checkLacking(ctx context.Context) error {
	if len(c.lacks) == 0 {
		return nil
	}
	return c.report(ctx, storage.Finding{Kind: storage.DatabaseDamaged,
		Detail: lackingSchema(c.lacks) + "; what depends on them was not compared; restore the directory from a backup"}, nil)
}

// isLacking reports whether a step has ended because of what checkLacking has reported.
func (c *checker) isLacking(err error) bool { return len(c.lacks) > 0 && errors.Is(err, sqlite3.ERROR) }

// checkDatabase lets SQLite check its own file. It does nothing while the store serves: callers would wait.
func (c *checker) checkDatabase(ctx context.Context) error {
	return c.lookAlone(ctx, storage.DatabaseDamaged, `PRAGMA integrity_check(100)`, func(row *sqlite3.Stmt) string {
		if text := row.ColumnText(0); text != "ok" {
			return text
		}
		return ""
	})
}

// checkReferences looks for rows that refer to rows which are not there. It does nothing while the store serves.
func (c *checker) checkReferences(ctx context.Context) error {
	return c.lookAlone(ctx, storage.MetadataContradicts, `PRAGMA foreign_key_check`, func(row *sqlite3.Stmt) string {
		return fmt.Sprintf("row %d of table %s refers to a row of table %s that is not there",
			row.ColumnInt64(1), row.ColumnText(0), row.ColumnText(2))
	})
}

// maxAlone bounds the findings of one call of lookAlone.
const maxAlone = 100

// lookAlone reports a finding for each row of a statement that reads the whole database. It does nothing while the store serves: such a
// statement takes long, and callers would wait for it.
func (c *checker) lookAlone(ctx context.Context, kind storage.FindingKind, sql string, detail func(row *sqlite3.Stmt) string) error {
	if !c.alone {
		return nil
	}
	var all []string
	err := c.read(ctx, func(db *database) error {
		old := db.conn.SetInterrupt(ctx)
		defer db.conn.SetInterrupt(old)
		return db.once(sql, func(row *sqlite3.Stmt) bool {
			if text := detail(row); text != "" {
				all = append(all, text)
			}
			return len(all) < maxAlone
		})
	})
	if err != nil && !isDamage(err) {
		return err
	}
	for _, text := range all {
		if err := c.report(ctx, storage.Finding{Kind: kind, Detail: text}, nil); err != nil {
			return err
		}
	}
	if err != nil { // SQLite met a damaged page after what it had found
		return c.report(ctx, storage.Finding{Kind: storage.DatabaseDamaged, Detail: err.Error()}, nil)
	}
	return nil
}
