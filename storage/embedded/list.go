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

// A page is read at once, and changes wait for it: so many rows take about a millisecond.
const (
	sqlListUsers = `SELECT u.id, i.url, u.organization, u.created, u.changed, u.sequence, g.id, g.size, g.format, u.removed
		FROM user u CROSS JOIN issuer i ON i.iid = u.iid LEFT JOIN generation g ON g.uid = u.uid AND g.state = 2
		WHERE (u.id, u.iid) > (?1, ?2) ORDER BY u.id, u.iid LIMIT ?3`
	sqlListNamesakes = `SELECT u.id, i.url, u.organization, u.created, u.changed, u.sequence, g.id, g.size, g.format, u.removed
		FROM user u CROSS JOIN issuer i ON i.iid = u.iid LEFT JOIN generation g ON g.uid = u.uid AND g.state = 2
		WHERE u.id = ?1 AND u.iid > ?2 ORDER BY u.iid LIMIT ?3`
	sqlListOrganizations = `SELECT id, created FROM organization WHERE id > ?1 AND removed = 0 ORDER BY id LIMIT ?2`
)

// ListUsers implements [storage.Store]. Users of one id are sorted by when their issuers were added.
func (s *Store) ListUsers(ctx context.Context, q storage.UserQuery) (page storage.UserPage, err error) {
	if !emptyOrText(q.ID, q.Organization, q.After.ID, q.After.Issuer) {
		return page, fmt.Errorf("list users: %w: id", storage.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return page, err
	}
	sql, after := sqlListUsers, q.After.ID
	if q.ID != "" {
		sql, after = sqlListNamesakes, q.ID
	}
	iid, _ := s.registry.issuer(q.After.Issuer) // 0 = unknown; they count from 1
	rows, more := 0, storage.UserKey{}
	err = s.look(func(db *database) error {
		return db.once(sql, func(row *sqlite3.Stmt) bool {
			rows++
			u := scanListed(row)
			more = u.User
			removed := row.ColumnBool(9)
			if !removed && (q.Organization == "" || u.Details.Organization == q.Organization) {
				page.Users = append(page.Users, u)
			}
			return true
		}, after, iid, storage.MaxPage)
	})
	if err != nil {
		return storage.UserPage{}, fmt.Errorf("list users: %w", err)
	}
	if rows == storage.MaxPage {
		page.Next = more
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
	if !emptyOrText(after) {
		return nil, fmt.Errorf("list organisations: %w: id", storage.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.look(func(db *database) error {
		return db.once(sqlListOrganizations, func(row *sqlite3.Stmt) bool {
			page = append(page, storage.ListedOrganization{ID: row.ColumnText(0), CreationDate: time.UnixMicro(row.ColumnInt64(1)).UTC()})
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

func emptyOrText(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return text != "" && !storage.ValidText(text) })
}
