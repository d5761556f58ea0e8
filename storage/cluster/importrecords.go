package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

// importBatch is how many statements are sent at once.
const importBatch = 512

// importing is an import under way. The export is read twice: for everything but pictures, which shows that it is whole; then come newer
// receipts; then, the second time, the pictures that no receipt names.
type importing struct {
	conn    *pgx.Conn
	bucket  *bucket.Bucket
	keys    *envelope.Keys
	folders folderNames
	o       storage.ImportOptions
	begun   bool // the schema is ours
	claimed bool // so is the bucket

	batch       *pgx.Batch
	issuers     map[int64]issuerRow // by their numbers in the export
	moves       []storage.IssuerMoveRecord
	lastReceipt int64
	sum         storage.ImportSummary
}

// issuerRow is what names of objects are made from.
type issuerRow struct {
	iid    int64
	folder string
}

func (i *importing) run(ctx context.Context) error {
	if err := i.readRecords(ctx); err != nil {
		return fmt.Errorf("%s: %w", i.o.Export.Name(), err)
	}
	for _, source := range i.o.Newer {
		if err := i.readNewer(ctx, source); err != nil {
			return fmt.Errorf("%s: %w", source.Name(), err)
		}
	}
	if _, i.sum.Gaps = storage.KnownUntil(i.sum.Backup, i.sum.Newer); !i.o.AllowGap {
		if err := storage.CheckGaps(i.sum.Backup, i.sum.Newer); err != nil {
			return err
		}
	}
	if err := i.settleRemoved(ctx); err != nil {
		return err
	}
	if err := i.readPictures(ctx); err != nil {
		return fmt.Errorf("%s: %w", i.o.Export.Name(), err)
	}
	return i.finish(ctx)
}

// do queues a statement.
func (i *importing) do(ctx context.Context, sql string, arguments ...any) error {
	if i.batch == nil {
		i.batch = new(pgx.Batch)
	}
	i.batch.Queue(sql, arguments...)
	if i.batch.Len() < importBatch {
		return nil
	}
	return i.flush(ctx)
}

// flush sends what is queued.
func (i *importing) flush(ctx context.Context) error {
	if i.batch == nil {
		return nil
	}
	batch := i.batch
	i.batch = nil
	return unfit(i.conn.SendBatch(ctx, batch).Close())
}

// ask reads one row, behind everything that is queued. found is false where there is none.
func (i *importing) ask(ctx context.Context, into []any, sql string, arguments ...any) (found bool, err error) {
	if err := i.flush(ctx); err != nil {
		return false, err
	}
	err = i.conn.QueryRow(ctx, sql, arguments...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, unfit(err)
}

// unfit marks what the schema refuses as the fault of the records.
func unfit(err error) error {
	if pg := new(pgconn.PgError); errors.As(err, &pg) && len(pg.Code) == 5 && pg.Code[:2] == "23" {
		return fmt.Errorf("%w: its records do not fit together: %w", storage.ErrExportDamaged, err)
	}
	return err
}

// each calls do for every record of a source.
func (i *importing) each(ctx context.Context, source storage.Source, pass int64, do func(storage.Record) error) (storage.ExportSummary, error) {
	records, err := source.Records()
	if err != nil {
		return storage.ExportSummary{}, err
	}
	for n := 0; ; n++ {
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = do(record)
		}
		if err != nil {
			return storage.ExportSummary{}, err
		}
		if n%importBatch == 0 {
			i.progress(source, pass, records)
		}
	}
	i.progress(source, pass, records)
	return records.Summary(), i.flush(ctx)
}

func (i *importing) progress(source storage.Source, pass int64, records storage.RecordReader) {
	if i.o.Progress != nil && source == i.o.Export {
		done, total := records.Read()
		i.o.Progress(pass*total+done, 2*total)
	}
}

func micros(n int64) time.Time { return time.UnixMicro(n).UTC() }

const (
	sqlImportOrganization = `INSERT INTO organization (id, created_at, removed, ended) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, removed = excluded.removed, ended = excluded.ended`
	sqlImportUser = `INSERT INTO person (uid, iid, id, org, created_at, changed_at, sequence, removed, ended) OVERRIDING SYSTEM VALUE
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (uid) DO UPDATE SET org = excluded.org, created_at = excluded.created_at, changed_at = excluded.changed_at,
		sequence = excluded.sequence, removed = excluded.removed, ended = excluded.ended,
		id = CASE WHEN person.id = excluded.id AND person.iid = excluded.iid THEN person.id END`
	sqlImportReceipt = `INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at, org, caller, caller_org, request)
		VALUES ($1, $2, $3, $4, $5, $5, nullif($6, ''), nullif($7, ''), nullif($8, ''), nullif($9, ''))`
	sqlImportNewest = `UPDATE person SET receipt = $2 WHERE uid = $1`
	sqlImportAudit  = `INSERT INTO audit (at, action, result, caller, caller_org, org, target, request, dropped, refusal)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
)

// readRecords brings everything but pictures.
func (i *importing) readRecords(ctx context.Context) (err error) {
	i.issuers = make(map[int64]issuerRow)
	var owner int64
	i.sum.Backup, err = i.each(ctx, i.o.Export, 0, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.IssuerRecord:
			row, err := i.issuer(ctx, r.URL)
			i.issuers[r.Number] = row
			return err
		case storage.IssuerMoveRecord:
			return i.addMove(ctx, r)
		case storage.OrganizationRecord:
			return i.addOrganization(ctx, r)
		case storage.UserRecord:
			owner = r.Number
			return i.addUser(ctx, r)
		case storage.PictureRecord:
			return i.do(ctx, `UPDATE import_picture SET gen = $2 WHERE uid = $1`, owner, generationID(r.Generation))
		case storage.ReceiptRecord:
			return i.addReceipt(ctx, r, r.User)
		case storage.AuditRecord:
			return i.do(ctx, sqlImportAudit, micros(r.Time), withoutNUL(r.Action), withoutNUL(r.Result), withoutNUL(r.Caller), withoutNUL(r.CallerOrganization),
				withoutNUL(r.Organization), withoutNUL(r.Target), withoutNUL(r.Request), r.Dropped, r.Refusal)
		}
		return nil
	})
	return err
}

// addOrganization adds an organisation, or replaces its record.
func (i *importing) addOrganization(ctx context.Context, r storage.OrganizationRecord) error {
	return i.do(ctx, sqlImportOrganization, r.ID, micros(r.Created), !r.State.On(), r.State.Refuses())
}

// addUser adds a user, or replaces the record of that number.
func (i *importing) addUser(ctx context.Context, r storage.UserRecord) error {
	row, ok := i.issuers[r.Issuer]
	if !ok {
		return fmt.Errorf("%w: a user of an issuer that is not in it", storage.ErrExportDamaged)
	}
	err := i.do(ctx, sqlImportUser, r.Number, row.iid, r.ID, r.Organization, micros(r.Created), micros(r.Changed), r.Sequence, !r.State.On(), r.State.Refuses())
	if err != nil {
		return err
	}
	if r.Picture == storage.PictureNone { // else an earlier record may have it
		return i.do(ctx, `DELETE FROM import_picture WHERE uid = $1`, r.Number)
	}
	return i.do(ctx, `INSERT INTO import_picture (uid) VALUES ($1) ON CONFLICT (uid) DO NOTHING`, r.Number)
}

// receiptArguments are those of a statement that adds a receipt of a person.
func receiptArguments(r storage.ReceiptRecord, uid int64) []any {
	return []any{r.Number, generationID(r.Generation), uid, r.Reason, micros(r.Time), withoutNUL(r.Organization), withoutNUL(r.Caller),
		withoutNUL(r.CallerOrganization), withoutNUL(r.Request)}
}

func (i *importing) addReceipt(ctx context.Context, r storage.ReceiptRecord, uid int64) error {
	if at := micros(r.Time); at.After(i.sum.NewestReceipt) {
		i.sum.NewestReceipt = at
	}
	i.lastReceipt = r.Number
	if err := i.do(ctx, sqlImportReceipt, receiptArguments(r, uid)...); err != nil {
		return err
	}
	return i.do(ctx, sqlImportNewest, uid, generationID(r.Generation))
}

// settleRemoved makes records of several moments and sources fit together: a person who is off the record has no picture, whatever another
// source says, and where somebody is registered, the organisation is.
func (i *importing) settleRemoved(ctx context.Context) error {
	return errors.Join(
		i.do(ctx, `UPDATE organization o SET removed = false WHERE removed AND EXISTS (SELECT FROM person p WHERE p.org = o.id AND NOT p.removed)`),
		i.do(ctx, `DELETE FROM import_picture USING person p WHERE p.uid = import_picture.uid AND p.removed`),
		i.flush(ctx))
}

// finish puts the rest on record, and makes a store of what was imported.
func (i *importing) finish(ctx context.Context) error {
	for _, q := range []struct {
		sql string
		n   *int64
	}{
		{`SELECT count(*) FROM person WHERE NOT removed`, &i.sum.Users},
		{`SELECT count(*) FROM organization WHERE NOT removed`, &i.sum.Organizations},
		{`SELECT count(*) FROM receipt`, &i.sum.Receipts},
		{`SELECT count(*) FROM audit`, &i.sum.Audit},
		{`SELECT count(*) FROM import_picture`, &i.sum.Missing},
	} {
		if _, err := i.ask(ctx, []any{q.n}, q.sql); err != nil {
			return err
		}
	}
	horizon := i.sum.Backup.Horizon
	for _, newer := range i.sum.Newer {
		if newer.Horizon.After(horizon) {
			horizon = newer.Horizon
		}
	}
	if !horizon.IsZero() {
		err := i.do(ctx, `UPDATE installation SET horizon = $1, pruned = (SELECT coalesce(max(n), 0) FROM receipt WHERE begun_at < $1)`, horizon)
		if err != nil {
			return err
		}
	}
	for _, sql := range []string{
		`SELECT setval('receipt_number', $1)`, `SELECT setval(pg_get_serial_sequence('person', 'uid'), (SELECT max(uid) FROM person))`,
		`DROP TABLE import_user, import_picture`, `UPDATE schema_version SET importing = false`,
	} {
		var arguments []any
		if sql == `SELECT setval('receipt_number', $1)` {
			if i.lastReceipt == 0 {
				continue
			}
			arguments = append(arguments, i.lastReceipt)
		}
		if err := i.do(ctx, sql, arguments...); err != nil {
			return err
		}
	}
	return i.flush(ctx)
}
