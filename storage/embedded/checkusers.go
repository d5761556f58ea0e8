package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// checkedUser is a user, with the generations that were not erased when the newest receipt was the one named here.
type checkedUser struct {
	uid, receipt int64
	living       []slotRow
	// state is the user's, organization that of the user's organisation.
	state, organization storage.RegistrationState
}

// checkUsers follows the receipts of each user from the newest to the first, and then looks for receipts that no user has.
func (c *checker) checkUsers(ctx context.Context) error {
	_, newest, err := c.watermark(ctx)
	if err != nil {
		return err
	}
	linked := make(marks)
	for last := int64(0); ; {
		users, err := c.users(ctx, last)
		if err != nil {
			return err
		}
		if len(users) == 0 {
			break
		}
		rows := len(users)
		for _, u := range users {
			rows += len(u.living)
		}
		c.hold(rows)
		for _, u := range users {
			linked.add(u.receipt)
			if err := errors.Join(c.checkState(ctx, u), c.checkUser(ctx, u)); err != nil {
				return err
			}
		}
		c.hold(-rows)
		last = users[len(users)-1].uid
		c.sum.Users += int64(len(users))
		c.progress(int64(len(users)))
	}
	return c.checkLinks(ctx, newest, linked)
}

// users returns the users that follow one, at most as many as checkRows allows.
func (c *checker) users(ctx context.Context, last int64) (users []checkedUser, err error) {
	rows, full := 0, false
	err = c.read(ctx, func(db *database) error {
		return db.once(`SELECT u.uid, ifnull(u.receipt, 0), g.slot, g.id, g.state, u.removed, ifnull(o.removed, 1) FROM user u
			LEFT JOIN organization o ON o.id = u.organization LEFT JOIN generation g ON g.uid = u.uid AND g.state <> 3 WHERE u.uid > ?1 ORDER BY u.uid`,
			func(row *sqlite3.Stmt) bool {
				uid := row.ColumnInt64(0)
				if n := len(users); n == 0 || users[n-1].uid != uid {
					if rows >= checkRows/2 {
						return false
					}
					users = append(users, checkedUser{uid: uid, receipt: row.ColumnInt64(1),
						state: storage.RegistrationState(row.ColumnInt64(5)), organization: storage.RegistrationState(row.ColumnInt64(6))})
				}
				rows++
				if full = rows > checkRows; full { // so many of one user: those that were read are enough
					return false
				}
				if row.ColumnType(2) != sqlite3.NULL {
					g := slotRow{slot: row.ColumnInt64(2), uid: uid, state: row.ColumnInt64(4)}
					copy(g.id[:], row.ColumnRawBlob(3))
					u := &users[len(users)-1]
					u.living = append(u.living, g)
				}
				return true
			}, last)
	})
	return users, err
}

// receiptRow is a row of receipt.
type receiptRow struct {
	seq, uid, previous int64
	generation         slab.GenerationID
	finished           bool // or the generation says that it is being erased
}

// receipts follows a chain from one receipt on, as far as the limits of one read allow. next is where to go on, 0 at the end of the
// chain, and broken is set when there is no receipt at next.
func (c *checker) receipts(ctx context.Context, from int64) (chain []receiptRow, next int64, broken bool, err error) {
	err = c.read(ctx, func(db *database) error {
		if db.stmts[sqlChainReceipt] == nil { // see checkLacking
			return sqlite3.ERROR
		}
		began := time.Now()
		for next = from; next != 0 && len(chain) < checkRows && (len(chain) == 0 || time.Since(began) < checkHold); {
			r := receiptRow{}
			err := db.rows(sqlChainReceipt, func(row *sqlite3.Stmt) bool {
				r = receiptRow{seq: next, uid: row.ColumnInt64(0), previous: row.ColumnInt64(2), finished: row.ColumnBool(3)}
				copy(r.generation[:], row.ColumnRawBlob(1))
				return false
			}, next)
			if err != nil {
				return err
			}
			if r.seq == 0 {
				gone, err := db.mayBePruned(next)
				if broken = !gone; gone { // the chain ends here: earlier receipts were pruned
					next = 0
				}
				return err
			}
			chain = append(chain, r)
			if r.previous >= r.seq { // the chain might be a circle
				broken = true
				return nil
			}
			next = r.previous
		}
		return nil
	})
	return chain, next, broken, err
}

// mayBePruned reports whether a receipt that is not there may have gone because of its age.
func (db *database) mayBePruned(seq int64) (may bool, err error) {
	err = db.once(`SELECT pruned >= ?1 FROM store`, func(row *sqlite3.Stmt) bool {
		may = row.ColumnBool(0)
		return false
	}, seq)
	return may, err
}

// maxRemembered bounds the generations of one user that are remembered to notice a second receipt. Those that are farther
// apart are not noticed.
const maxRemembered = 1 << 14

// checkUser follows the chain of one user.
func (c *checker) checkUser(ctx context.Context, u checkedUser) error {
	active := 0
	for _, g := range u.living {
		if g.state == stateActive {
			active++
		}
	}
	if active > 1 {
		f := storage.Finding{Detail: fmt.Sprintf("the user has %d pictures", active)}
		if err := c.contradiction(ctx, f, u.uid, slab.GenerationID{}); err != nil {
			return err
		}
	}
	var seen map[slab.GenerationID]int64
	defer func() { c.hold(-len(seen)) }()
	for next := u.receipt; next != 0; {
		at := next
		chain, after, broken, err := c.receipts(ctx, at)
		if err != nil {
			return err
		}
		if len(chain) == 0 && at == u.receipt { // a user's newest one stays, whatever its age
			broken, after = true, at
		}
		if seen == nil && (len(chain) > 1 || after != 0) || len(seen) >= maxRemembered {
			c.hold(-len(seen))
			seen = make(map[slab.GenerationID]int64)
		}
		c.hold(len(chain))
		foreign, err := c.checkChain(ctx, u, chain, seen)
		c.hold(-len(chain))
		if err != nil || foreign {
			return err
		}
		if broken {
			f := storage.Finding{Receipt: after, Detail: fmt.Sprintf("receipt %d, to which those of the user lead, is not there", after)}
			if n := len(chain); n > 0 && chain[n-1].seq == after {
				f.Detail = "the receipt says that a later one comes before it"
			}
			return c.contradiction(ctx, f, u.uid, slab.GenerationID{})
		}
		next = after
	}
	return nil
}

// checkChain compares receipts with their user's living generations and with each other. It ends at a receipt of another user.
func (c *checker) checkChain(ctx context.Context, u checkedUser, chain []receiptRow, seen map[slab.GenerationID]int64) (foreign bool, err error) {
	for _, r := range chain {
		if r.uid != u.uid {
			f := storage.Finding{Receipt: r.seq, Detail: "the receipts of the user lead to that of another one"}
			return true, c.contradiction(ctx, f, u.uid, r.generation)
		}
		if other := seen[r.generation]; other != 0 {
			f := storage.Finding{Receipt: r.seq, Detail: fmt.Sprintf("receipt %d is of the same generation", other)}
			if err := c.contradiction(ctx, f, u.uid, r.generation); err != nil {
				return false, err
			}
		}
		if err := c.checkReceipt(ctx, u, r); err != nil {
			return false, err
		}
		if seen != nil {
			if _, again := seen[r.generation]; !again {
				c.hold(1)
			}
			seen[r.generation] = r.seq
		}
	}
	return false, nil
}

// checkReceipt compares one receipt with the user's living generations.
func (c *checker) checkReceipt(ctx context.Context, u checkedUser, r receiptRow) error {
	for _, g := range u.living {
		if g.id != r.generation {
			continue
		}
		row, err := c.slotRow(ctx, g.slot)
		if err != nil {
			return err
		}
		if row.id != g.id || row.state == stateErasing { // erased meanwhile, and the slot perhaps another's
			return nil
		}
		f := storage.Finding{Page: g.slot, Receipt: r.seq, Detail: "a receipt says that the generation is erased, and it is not"}
		return c.contradiction(ctx, f, u.uid, r.generation)
	}
	if !r.finished {
		f := storage.Finding{Receipt: r.seq, Detail: "the receipt is of an erasure that is not finished, and no generation is being erased with it"}
		return c.contradiction(ctx, f, u.uid, r.generation)
	}
	return nil
}

// contradiction reports that records about a user and, unless id is the zero one, a generation contradict each other.
func (c *checker) contradiction(ctx context.Context, f storage.Finding, uid int64, id slab.GenerationID) error {
	f.Kind = storage.MetadataContradicts
	f, err := c.about(ctx, f, uid, id)
	if err != nil {
		return err
	}
	return c.report(ctx, f, nil)
}
