package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// listRows bounds the rows that a page looks at. They are read at once, and changes wait for it: so many take a few milliseconds.
const listRows = 5 * storage.MaxPage

const (
	listedColumns = `SELECT u.id, i.url, u.organization, u.created, u.changed, u.sequence, g.id, g.size, g.format, u.removed `
	listedTables  = ` CROSS JOIN issuer i ON i.iid = u.iid LEFT JOIN generation g ON g.uid = u.uid AND g.state = 2 `
	sqlListUsers  = listedColumns + `FROM user u` + listedTables + `WHERE (u.id, u.iid) > (?1, ?2) ORDER BY u.id, u.iid LIMIT ?3`
	// Of one id.
	sqlListNamesakes = listedColumns + `FROM user u` + listedTables + `WHERE u.id = ?1 AND u.iid > ?2 ORDER BY u.iid LIMIT ?3`
	// Of one organisation.
	sqlListMembers = listedColumns + `FROM user u INDEXED BY user_organization` + listedTables + `WHERE u.organization = ?4 AND u.removed = 0
		AND (u.id, u.iid) > (?1, ?2) ORDER BY u.id, u.iid LIMIT ?3`
	sqlListOrganizations = `SELECT id, created, removed FROM organization WHERE id > ?1 AND removed IN (0, 3) ORDER BY id LIMIT ?2`
)

// ListUsers implements [storage.Store]. Users of one id are sorted by when their issuers were added.
func (s *Store) ListUsers(ctx context.Context, q storage.UserQuery) (page storage.UserPage, err error) {
	if !q.Valid() {
		return page, fmt.Errorf("list users: %w", storage.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return page, err
	}
	iid, _ := s.registry.issuer(q.After.Issuer) // 0 = unknown; they count from 1
	sql, args := sqlListUsers, []any{q.After.ID, iid, listRows}
	switch {
	case q.ID != "" && q.After.ID > q.ID:
		return page, nil
	case q.ID != "" && q.After.ID < q.ID:
		sql, args = sqlListNamesakes, []any{q.ID, int64(0), listRows}
	case q.ID != "":
		sql = sqlListNamesakes
	case q.Organization != "":
		sql, args = sqlListMembers, append(args, q.Organization)
	}
	rows, last := 0, storage.UserKey{}
	err = s.look(func(db *database) error {
		return db.once(sql, func(row *sqlite3.Stmt) bool {
			rows++
			u := scanListed(row)
			last = u.User
			if row.ColumnInt64(9) == int64(storage.Registered) && (q.Organization == "" || u.Details.Organization == q.Organization) && q.Picture.Admits(u.Info) {
				page.Users = append(page.Users, u)
			}
			return len(page.Users) < storage.MaxPage
		}, args...)
	})
	if err != nil {
		return storage.UserPage{}, fmt.Errorf("list users: %w", err)
	}
	if rows == listRows || len(page.Users) == storage.MaxPage {
		page.Next = last
	}
	return page, nil
}

func scanListed(row *sqlite3.Stmt) storage.ListedUser {
	u := userRow{organization: row.ColumnText(2), created: row.ColumnInt64(3), changed: row.ColumnInt64(4), sequence: row.ColumnInt64(5)}
	listed := storage.ListedUser{User: storage.UserKey{Issuer: row.ColumnText(1), ID: row.ColumnText(0)}, Info: storage.Info{Details: u.details()}}
	if row.ColumnType(6) != sqlite3.NULL {
		id := scanID(row, 6)
		listed.Generation = hex.EncodeToString(id[:])
		listed.Size, listed.Format = row.ColumnInt64(7), storage.Format(row.ColumnInt64(8))
	}
	return listed
}

// ListOrganizations implements [storage.Store].
func (s *Store) ListOrganizations(ctx context.Context, after string) (page []storage.ListedOrganization, err error) {
	if after != "" && !storage.ValidText(after) {
		return nil, fmt.Errorf("list organisations: %w: id", storage.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.look(func(db *database) error {
		return db.once(sqlListOrganizations, func(row *sqlite3.Stmt) bool {
			page = append(page, storage.ListedOrganization{ID: row.ColumnText(0), CreationDate: time.UnixMicro(row.ColumnInt64(1)).UTC(),
				Ending: row.ColumnInt64(2) == int64(storage.Ending)})
			return true
		}, after, storage.MaxPage)
	})
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	return page, nil
}

// Issuers returns the issuers of the users on record, sorted. Issuers whose users have all been moved or removed are left out; to find
// that out takes a search of all users for each such issuer.
func (s *Store) Issuers() ([]string, error) {
	all := s.OtherIssuers("")
	err := s.look(func(db *database) (err error) {
		all = slices.DeleteFunc(all, func(url string) bool {
			iid, _ := s.registry.issuer(url)
			has, _, ierr := db.issuerHasUsers(iid)
			err = errors.Join(err, ierr)
			return !has
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list issuers: %w", err)
	}
	return all, nil
}
