package embedded

import (
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

type backupRow = *sqlite3.Stmt

// pageUser is a user with everything that a backup writes.
type pageUser struct {
	storage.UserRecord
	issuer              string
	organizationCreated int64
	organizationState   storage.RegistrationState

	// The active picture; slot is 0 where there is none.
	slot, size int64
	generation slab.GenerationID
	format     storage.Format
	data       []byte // read later
}

// userPageColumns are the columns that scanPageUser reads. The tables are joined in this order, each by its key.
const (
	userPageColumns = `u.uid, u.iid, i.url, u.id, u.organization, o.created, u.created, u.changed, u.sequence,
		ifnull(g.slot, 0), g.id, g.size, g.format, u.removed, o.removed`
	userPageTables = `CROSS JOIN issuer i ON i.iid = u.iid CROSS JOIN organization o ON o.id = u.organization
		LEFT JOIN generation g ON g.uid = u.uid AND g.state = 2`
	userPageWidth = 15
)

func scanPageUser(row backupRow) (u pageUser) {
	u.Number, u.Issuer, u.issuer = row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnText(2)
	u.ID, u.Organization, u.organizationCreated = row.ColumnText(3), row.ColumnText(4), row.ColumnInt64(5)
	u.Created, u.Changed, u.Sequence = row.ColumnInt64(6), row.ColumnInt64(7), row.ColumnInt64(8)
	u.State, u.organizationState = storage.RegistrationState(row.ColumnInt64(13)), storage.RegistrationState(row.ColumnInt64(14))
	if u.slot = row.ColumnInt64(9); !u.State.On() {
		u.slot = 0 // else the row is damaged
	}
	if u.slot != 0 {
		u.generation, u.size, u.format = scanID(row, 10), row.ColumnInt64(11), storage.Format(row.ColumnInt64(12))
	}
	return u
}

// backupPage is what is read of the metadata at a time.
type backupPage struct {
	users    []pageUser
	receipts []storage.ReceiptRecord
	ended    []pageUser // who have ended, behind those that are written
	last     int64      // number of the last of them
	full     bool       // there may be more
	bytes    int64

	receiptsOnly bool
	began        int64 // newest receipt when the backup began
	lastUser     int64 // uid up to which all users are written
	since        int64 // receipt behind which the backup begins
}

// add notes a user and reports whether there is room for another one.
func (p *backupPage) add(u pageUser) (room bool) {
	p.users = append(p.users, u)
	p.bytes += u.size
	return p.bytes < backupPageBytes
}

// readUsers reads the users whose numbers follow lastUser.
func (p *backupPage) readUsers(db *database, after int64) error {
	return db.once(`SELECT `+userPageColumns+` FROM user u `+userPageTables+` WHERE u.uid > ?1 ORDER BY u.uid LIMIT ?2`,
		func(row backupRow) bool { return p.add(scanPageUser(row)) }, after, backupPageRows)
}

// readReceipts reads the receipts behind one, and their users where those have to be written: now for the first time,
// or again, because their picture was erased after they were written. That is done once for each user, with the newest
// receipt.
func (p *backupPage) readReceipts(db *database, after int64) error {
	err := db.once(`SELECT `+userPageColumns+`, r.seq, r.generation, r.time, r.reason,
		ifnull(r.previous, 0) <= ?3 OR NOT EXISTS (SELECT 1 FROM receipt WHERE seq = r.previous), u.receipt = r.seq,
		ifnull(r.organization, ''), coalesce(a.caller, f.caller, ''), coalesce(a.caller_organization, f.caller_organization, ''),
		coalesce(a.request, f.request, '')
		FROM receipt r CROSS JOIN user u ON u.uid = r.uid `+userPageTables+`
		LEFT JOIN audit a ON a.seq = r.audit LEFT JOIN receipt_origin f ON f.receipt = r.seq WHERE r.seq > ?1 ORDER BY r.seq LIMIT ?2`,
		func(row backupRow) bool {
			r := storage.ReceiptRecord{Number: row.ColumnInt64(userPageWidth), User: row.ColumnInt64(0), Generation: scanID(row, userPageWidth+1),
				Time: row.ColumnInt64(userPageWidth + 2), Reason: row.ColumnInt64(userPageWidth + 3),
				Organization: row.ColumnText(userPageWidth + 6), Caller: row.ColumnText(userPageWidth + 7),
				CallerOrganization: row.ColumnText(userPageWidth + 8), Request: row.ColumnText(userPageWidth + 9)}
			p.receipts = append(p.receipts, r)
			oldest, newest := row.ColumnBool(userPageWidth+4), row.ColumnBool(userPageWidth+5)
			first := r.User > p.lastUser && oldest
			if !first && (r.Number <= p.began || !newest) {
				return true
			}
			p.full = !p.add(scanPageUser(row))
			return !p.full
		}, after, backupPageRows, p.since)
	p.full = p.full || len(p.receipts) == backupPageRows
	return err
}

// readEnded reads the users who have ended behind a number.
func (p *backupPage) readEnded(db *database, after int64) error {
	err := db.once(`SELECT `+userPageColumns+`, u.ended FROM user u INDEXED BY user_ended `+userPageTables+`
		WHERE u.ended > ?1 ORDER BY u.ended LIMIT ?2`, func(row backupRow) bool {
		p.ended, p.last = append(p.ended, scanPageUser(row)), row.ColumnInt64(userPageWidth)
		return true
	}, after, backupPageRows)
	p.full = p.full || len(p.ended) == backupPageRows
	return err
}

// writeOrganizations writes the organisations that have no user in the backup, and those that are not what was written.
func (b *export) writeOrganizations() error {
	for after := ""; ; {
		var page []storage.OrganizationRecord
		err := b.s.look(func(db *database) error {
			return db.once(`SELECT id, created, removed FROM organization WHERE id > ?1 ORDER BY id LIMIT ?2`, func(row backupRow) bool {
				page = append(page, storage.OrganizationRecord{ID: row.ColumnText(0), Created: row.ColumnInt64(1), State: storage.RegistrationState(row.ColumnInt64(2))})
				return true
			}, after, backupPageRows)
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, o := range page {
			if b.organizations[o.ID] != o {
				if err := b.write(o); err != nil {
					return err
				}
			}
		}
		after = page[len(page)-1].ID
	}
}
