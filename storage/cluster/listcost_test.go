package cluster

import (
	"fmt"
	"testing"

	"example.org/avatard/storage"
)

// wantEqualPages demands that a page of a list touches no more than twice the pages of PostgreSQL that the first one does, however far behind
// it is. The people are those of crowd.
func wantEqualPages(t *testing.T, s *Store, explains *explainer, people int) {
	t.Helper()
	users := func(q storage.UserQuery) func(int) error {
		return func(behind int) error {
			q.After = storage.UserKey{}
			if behind > 0 {
				q.After = storage.UserKey{Issuer: "https://issuer.test", ID: fmt.Sprintf("user%07d", behind)}
			}
			_, err := s.ListUsers(t.Context(), q)
			return err
		}
	}
	for name, page := range map[string]func(behind int) error{
		"users":                       users(storage.UserQuery{}),
		"users of an organisation":    users(storage.UserQuery{Organization: "org7"}),
		"users with a picture":        users(storage.UserQuery{Picture: storage.WithPicture}),
		"those of an organisation":    users(storage.UserQuery{Organization: "org10", Picture: storage.WithPicture}),
		"users without a picture":     users(storage.UserQuery{Picture: storage.WithoutPicture}),
		"receipts":                    func(behind int) error { return listReceiptsBehind(t, s, "", people-behind) },
		"receipts of an organisation": func(behind int) error { return listReceiptsBehind(t, s, "org7", people-behind) },
	} {
		var touched []int
		for _, behind := range []int{0, people / 10, people / 2, people * 9 / 10} {
			explains.take(t)
			if err := page(behind); err != nil {
				t.Fatal(err)
			}
			pages := 0
			for _, e := range explains.take(t) {
				pages += e.pages
			}
			touched = append(touched, pages)
			if pages == 0 || pages > 2*touched[0] {
				t.Errorf("%s: the page behind %d touches %d pages of PostgreSQL, the first one %d", name, behind, pages, touched[0])
			}
		}
		t.Logf("%s among %d: the first page touches %d pages of PostgreSQL, later ones %v", name, people, touched[0], touched[1:])
	}
}

func listReceiptsBehind(t *testing.T, s *Store, org string, number int) error {
	t.Helper()
	_, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{Organization: org, After: fmt.Sprint(number + 1)})
	return err
}
