package cluster

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// lookRows is how many rows a page of a list looks at, at most.
const lookRows = 2000

// boundedPage makes the statement of a page of a list: of the first lookRows rows of a query, which is ordered, those that a filter takes,
// storage.MaxPage at most. Behind them, and then alone with false in front, comes the last row that was looked at, where the page is
// not full and more rows may follow. One moment is shown, and a page that is soon full looks at no more.
func boundedPage(query, order, filter string) string {
	looked := fmt.Sprintf(`SELECT * FROM (%s ORDER BY %s LIMIT %d) l`, query, order, lookRows)
	return fmt.Sprintf(`
WITH page AS MATERIALIZED (%[1]s WHERE %[3]s ORDER BY %[2]s LIMIT %[4]d)
SELECT * FROM (SELECT true AS listed, * FROM page UNION ALL
   (SELECT false, * FROM (%[1]s) b WHERE (SELECT count(*) FROM page) < %[4]d ORDER BY %[2]s OFFSET %[5]d LIMIT 1)) r
 ORDER BY listed DESC, %[2]s`, looked, order, filter, storage.MaxPage, lookRows-1)
}

const (
	sqlListUsers = `
SELECT i.url, p.id, p.org, p.sequence, p.created_at, p.changed_at, p.gen, coalesce(p.format, 0) AS format, coalesce(p.size, 0) AS size
  FROM person p JOIN issuer i ON i.iid = p.iid
 WHERE NOT p.removed AND p.id >= $1 AND (p.id > $1 OR i.url > $2)`

	sqlListOrganizations = `SELECT id, created_at, ended FROM organization WHERE NOT removed AND id > $1 ORDER BY id LIMIT $2`
)

var pictureFilters = map[storage.PictureFilter]string{
	storage.AnyUsers: "true", storage.WithPicture: "gen IS NOT NULL", storage.WithoutPicture: "gen IS NULL",
}

// listStatement returns the statement of a list. There is one for each kind of query: a plan for all of them would read everybody to find the
// users of one organisation.
func listStatement(q storage.UserQuery) (sql string, arguments []any) {
	sql, arguments = sqlListUsers, []any{q.After.ID, q.After.Issuer}
	for _, filter := range [...]struct{ column, value string }{{"p.id", q.ID}, {"p.org", q.Organization}} {
		if filter.value != "" {
			arguments = append(arguments, filter.value)
			sql += fmt.Sprintf(" AND %s = $%d", filter.column, len(arguments))
		}
	}
	return boundedPage(sql, "id, url", pictureFilters[q.Picture]), arguments
}

// ListUsers implements [storage.Store].
func (s *Store) ListUsers(ctx context.Context, q storage.UserQuery) (storage.UserPage, error) {
	page, err := s.listUsers(ctx, q)
	if err != nil {
		return storage.UserPage{}, fmt.Errorf("list users: %w", err)
	}
	return page, nil
}

func (s *Store) listUsers(ctx context.Context, q storage.UserQuery) (page storage.UserPage, err error) {
	if !q.Valid() {
		return page, storage.ErrInvalid
	}
	if s.closed.Load() {
		return page, errClosed
	}
	sql, arguments := listStatement(q)
	rows, err := s.pool.Query(ctx, sql, arguments...)
	if err != nil {
		return page, unavailable(ctx, err)
	}
	var (
		listed           bool
		u                storage.ListedUser
		sequence         int64
		created, changed time.Time
		gen              []byte
		format           int16
		org              string
	)
	into := []any{&listed, &u.User.Issuer, &u.User.ID, &org, &sequence, &created, &changed, &gen, &format, &u.Size}
	_, err = pgx.ForEachRow(rows, into, func() error {
		if !listed {
			page.Next = u.User
			return nil
		}
		u.Details = details(sequence, created, changed, org)
		u.Generation, u.Format = hex.EncodeToString(gen), storage.Format(format)
		if page.Users = append(page.Users, u); len(page.Users) == storage.MaxPage {
			page.Next = u.User
		}
		return nil
	})
	return page, unavailable(ctx, err)
}

// ListOrganizations implements [storage.Store].
func (s *Store) ListOrganizations(ctx context.Context, after string) ([]storage.ListedOrganization, error) {
	list, err := s.listOrganizations(ctx, after)
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	return list, nil
}

func (s *Store) listOrganizations(ctx context.Context, after string) (list []storage.ListedOrganization, err error) {
	if after != "" && !storage.ValidText(after) {
		return nil, storage.ErrInvalid
	}
	if s.closed.Load() {
		return nil, errClosed
	}
	rows, err := s.pool.Query(ctx, sqlListOrganizations, after, storage.MaxPage)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	var o storage.ListedOrganization
	_, err = pgx.ForEachRow(rows, []any{&o.ID, &o.CreationDate, &o.Ending}, func() error {
		o.CreationDate = o.CreationDate.UTC()
		list = append(list, o)
		return nil
	})
	return list, unavailable(ctx, err)
}
