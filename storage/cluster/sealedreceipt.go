package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/receiptlog"
)

// walkPage is how many places one statement reads.
const walkPage = 500

// sqlSealed reads places and what stands at them.
func sqlSealed(places string) string {
	return fmt.Sprintf(`
SELECT l.place, l.receipt IS NULL, t.horizon IS NOT NULL, t.forgotten, r.gen, coalesce(r.begun_at, 'epoch'), coalesce(r.reason, 0), coalesce(r.org, ''),
       r.caller, r.caller_org, r.request, coalesce(l.issuer, ''), coalesce(i.url, ''), coalesce(p.id, ''), l.user_salt, l.caller_salt, l.request_salt, l.caller, l.request
  FROM (%s LIMIT %d) l CROSS JOIN installation t
  LEFT JOIN LATERAL (SELECT * FROM receipt WHERE n = l.receipt OFFSET 0) r ON true
  LEFT JOIN LATERAL (SELECT iid, id FROM person WHERE uid = r.uid OFFSET 0) p ON true
  LEFT JOIN LATERAL (SELECT url FROM issuer WHERE iid = p.iid OFFSET 0) i ON true
 ORDER BY l.place`, places, walkPage)
}

var (
	sqlSealedPage = sqlSealed(`SELECT * FROM receipt_log WHERE place >= $1 AND place < $2 ORDER BY place`)
	sqlSealedOne  = sqlSealed(`SELECT * FROM receipt_log WHERE receipt = (SELECT n FROM receipt WHERE gen = $1)`)
)

// sealedReceipt is a place of the log and what stands there.
type sealedReceipt struct {
	place                             int64
	dropped                           bool       // the place says that its receipt was removed for its age
	pruned                            bool       // receipts have been removed for their age
	forgotten                         *time.Time // receipts of before may have lost their callers
	gen                               []byte     // nil = the receipt is not there
	at                                time.Time
	reason                            int16
	org, issuer, issuerNow, user      string
	caller, callerOrg, request        *string
	userSalt, callerSalt, requestSalt []byte
	callerDigest, requestDigest       []byte
}

func (r *sealedReceipt) scan(rows pgx.Rows) ([]sealedReceipt, error) {
	var page []sealedReceipt
	_, err := pgx.ForEachRow(rows, []any{&r.place, &r.dropped, &r.pruned, &r.forgotten, &r.gen, &r.at, &r.reason, &r.org, &r.caller, &r.callerOrg, &r.request, &r.issuer,
		&r.issuerNow, &r.user, &r.userSalt, &r.callerSalt, &r.requestSalt, &r.callerDigest, &r.requestDigest}, func() error {
		page = append(page, *r)
		return nil
	})
	return page, err
}

// forgot reports whether caller and request were dropped for their age, so that only their digests are left.
func (r *sealedReceipt) forgot() bool {
	return r.caller == nil && r.callerOrg == nil && r.request == nil && r.callerSalt == nil && r.requestSalt == nil && r.forgotten != nil && r.at.Before(*r.forgotten)
}

// leaf makes the leaf out of what is stored. Where two of these contradict each other, it is one that was never sealed.
func (r *sealedReceipt) leaf(moves issuerMoves) receiptlog.Leaf {
	leaf := receiptlog.Leaf{ID: [16]byte(r.gen), Time: r.at.UnixMicro(), Reason: int64(r.reason), Organization: r.org}
	texts := receiptlog.Texts{Issuer: r.issuer, User: r.user, Caller: textOf(r.caller), CallerOrganization: textOf(r.callerOrg), Request: textOf(r.request)}
	user, caller, request := texts.Digests(r.salts())
	if moves.explain(r.issuer, r.issuerNow) {
		leaf.User = user
	}
	callerKept, requestKept := thirtyTwo(r.callerDigest), thirtyTwo(r.requestDigest)
	if caller == callerKept && request == requestKept || r.forgot() {
		leaf.Caller, leaf.Request = callerKept, requestKept
	}
	return leaf
}

func (r *sealedReceipt) salts() receiptlog.FieldSalts {
	return receiptlog.FieldSalts{User: thirtyTwo(r.userSalt), Caller: thirtyTwo(r.callerSalt), Request: thirtyTwo(r.requestSalt)}
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// thirtyTwo returns bytes of which the schema says that there are so many; zero where there are others.
func thirtyTwo(b []byte) (value [32]byte) {
	if len(b) == len(value) {
		copy(value[:], b)
	}
	return value
}

// issuerMoves are those of the store, in their order.
type issuerMoves [][2]string

// issuerMovesFor returns the moves that explain the issuer of a receipt: those that are known, or, where these do not, all there are by now.
func (s *Store) issuerMovesFor(ctx context.Context, r *sealedReceipt, known issuerMoves) (issuerMoves, error) {
	if known.explain(r.issuer, r.issuerNow) {
		return known, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT from_url, to_url FROM issuer_move ORDER BY n`)
	if err != nil {
		return nil, err
	}
	var all issuerMoves
	var move [2]string
	_, err = pgx.ForEachRow(rows, []any{&move[0], &move[1]}, func() error {
		all = append(all, move)
		return nil
	})
	return all, err
}

// explain reports whether users of an issuer can be those of another one by now: the two of a move have changed their addresses.
func (m issuerMoves) explain(was, is string) bool {
	may := []string{was}
	for _, move := range m {
		for i, name := range move {
			if other := move[1-i]; slices.Contains(may, name) && !slices.Contains(may, other) {
				may = append(may, other)
			}
		}
	}
	return slices.Contains(may, is)
}
