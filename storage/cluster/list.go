package cluster

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

const (
	sqlListUsers = `
SELECT i.url, p.id, p.org, p.sequence, p.created_at, p.changed_at, p.gen, coalesce(p.format, 0), coalesce(p.size, 0)
  FROM person p JOIN issuer i ON i.iid = p.iid
 WHERE NOT p.removed AND p.id >= $1 AND (p.id > $1 OR i.url > $2)`
	sqlListPage = ` ORDER BY p.id, i.url LIMIT $3`

	sqlListOrganizations = `SELECT id, created_at FROM organization WHERE NOT removed AND id > $1 ORDER BY id LIMIT $2`
)

// listStatement returns the statement of a list. There is one for each kind of query: a plan for all of them would read everybody to find the
// users of one organisation.
func listStatement(q storage.UserQuery) (sql string, arguments []any) {
	sql, arguments = sqlListUsers, []any{q.After.ID, q.After.Issuer, storage.MaxPage}
	for _, filter := range [...]struct{ column, value string }{{"p.id", q.ID}, {"p.org", q.Organization}} {
		if filter.value != "" {
			arguments = append(arguments, filter.value)
			sql += fmt.Sprintf(" AND %s = $%d", filter.column, len(arguments))
		}
	}
	return sql + sqlListPage, arguments
}

// ListUsers implements [storage.Store].
func (s *Store) ListUsers(ctx context.Context, q storage.UserQuery) (storage.UserPage, error) {
	for _, text := range []string{q.ID, q.Organization} {
		if text != "" && !ids.Valid(text) {
			return storage.UserPage{}, fmt.Errorf("list users: %w: id", storage.ErrInvalid)
		}
	}
	if q.After != (storage.UserKey{}) && !q.After.Valid() {
		return storage.UserPage{}, fmt.Errorf("list users: %w: id", storage.ErrInvalid)
	}
	if s.closed.Load() {
		return storage.UserPage{}, fmt.Errorf("list users: %w", errClosed)
	}
	sql, arguments := listStatement(q)
	rows, err := s.pool.Query(ctx, sql, arguments...)
	if err != nil {
		return storage.UserPage{}, fmt.Errorf("list users: %w", unavailable(ctx, err))
	}
	var (
		page             storage.UserPage
		u                storage.ListedUser
		sequence         int64
		created, changed time.Time
		gen              []byte
		format           int16
		org              string
	)
	_, err = pgx.ForEachRow(rows, []any{&u.User.Issuer, &u.User.ID, &org, &sequence, &created, &changed, &gen, &format, &u.Size}, func() error {
		u.Details = details(sequence, created, changed, org)
		u.Generation, u.Format = hex.EncodeToString(gen), storage.Format(format)
		page.Users = append(page.Users, u)
		return nil
	})
	if err != nil {
		return storage.UserPage{}, fmt.Errorf("list users: %w", unavailable(ctx, err))
	}
	if len(page.Users) == storage.MaxPage {
		page.Next = u.User
	}
	return page, nil
}

// ListOrganizations implements [storage.Store].
func (s *Store) ListOrganizations(ctx context.Context, after string) ([]storage.ListedOrganization, error) {
	if after != "" && !ids.Valid(after) {
		return nil, fmt.Errorf("list organisations: %w: id", storage.ErrInvalid)
	}
	if s.closed.Load() {
		return nil, fmt.Errorf("list organisations: %w", errClosed)
	}
	rows, err := s.pool.Query(ctx, sqlListOrganizations, after, storage.MaxPage)
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", unavailable(ctx, err))
	}
	var list []storage.ListedOrganization
	var o storage.ListedOrganization
	_, err = pgx.ForEachRow(rows, []any{&o.ID, &o.CreationDate}, func() error {
		o.CreationDate = o.CreationDate.UTC()
		list = append(list, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", unavailable(ctx, err))
	}
	return list, nil
}
