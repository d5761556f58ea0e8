package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/envelope"
	"example.org/avatard/storage/receiptlog"
)

const sqlHeadRow = `
SELECT mark, late, key, secret, frontier, head, coalesce((SELECT place FROM receipt_log ORDER BY place DESC LIMIT 1) + 1, 0) FROM receipt_head`

// headRow is what the database has of the head of the log. The pointers are nil until the log begins.
type headRow struct {
	mark     int64
	late     []int64
	key      *string // text form of the public key
	secret   []byte  // the private one, wrapped
	frontier []byte
	head     *string // signed
	places   int64   // one behind the last place
}

// openLog is a log whose head is the one that was signed.
type openLog struct {
	receiptlog.Head
	storage.SignedHead
	frontier receiptlog.Frontier
	secret   ed25519.PrivateKey // nil where the log is only read
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
}

// errNoHead: somebody has removed the row, which the schema has from the beginning on.
var errNoHead = &receiptlog.FaultError{Kind: receiptlog.HeadAltered}

// readHeadRow reads the row. The error may be errNoHead.
func readHeadRow(ctx context.Context, from querier) (r headRow, err error) {
	err = from.QueryRow(ctx, sqlHeadRow).Scan(&r.mark, &r.late, &r.key, &r.secret, &r.frontier, &r.head, &r.places)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errNoHead
	}
	return r, err
}

// open opens the log. The errors are a *receiptlog.FaultError and storage.ErrNotSealed.
func (r *headRow) open() (log openLog, err error) {
	fault := &receiptlog.FaultError{Kind: receiptlog.HeadAltered, End: r.places}
	if r.key == nil || r.head == nil {
		if r.places > 0 {
			return log, fault
		}
		return log, storage.ErrNotSealed
	}
	log.Text, log.Key = *r.head, *r.key
	if log.Head, err = receiptlog.OpenHead([]byte(log.Text), log.Key); err != nil {
		return log, fault
	}
	log.frontier, err = receiptlog.ParseFrontier(r.frontier)
	if err != nil || log.frontier.Size() != log.Size || log.frontier.Root() != log.Root {
		return log, fault
	}
	return log, nil
}

// openToGrow opens the log with its private key. Where there is none yet it begins one: its name is not the store's, which backups carry on, as
// what is restored from them begins another log.
func (r *headRow) openToGrow(keys *envelope.Keys) (log openLog, err error) {
	log, err = r.open()
	if errors.Is(err, storage.ErrNotSealed) {
		return r.begin(keys)
	}
	if err != nil {
		return log, err
	}
	if log.Size != r.places {
		return log, &receiptlog.FaultError{Kind: receiptlog.HeadAltered, End: r.places}
	}
	seed, err := keys.Unwrap(purposeOf(log.Key), r.secret)
	if err != nil {
		return log, fmt.Errorf("the key of the log of receipts: %w", err)
	}
	defer clear(seed)
	log.secret = ed25519.NewKeyFromSeed(seed)
	public, _ := log.secret.Public().(ed25519.PublicKey)
	if key, err := receiptlog.VerifierKey(log.Origin, public); err != nil || key != log.Key {
		return log, errOtherSecret
	}
	return log, nil
}

var errOtherSecret = errors.New("the private key of the log of receipts is not that of its public key")

// begin makes the key of a log.
func (r *headRow) begin(keys *envelope.Keys) (log openLog, err error) {
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return log, err
	}
	name := newGeneration()
	log.Origin, log.secret = "avatard/"+hex.EncodeToString(name[:]), secret
	if log.Key, err = receiptlog.VerifierKey(log.Origin, public); err != nil {
		return log, err
	}
	if r.secret, err = keys.Wrap(purposeOf(log.Key), secret.Seed()); err != nil {
		return log, err
	}
	r.key = &log.Key
	return log, nil
}

// purposeOf is what binds the wrapped key of a log to its public one, and to no generation of a picture, which is shorter.
func purposeOf(key string) []byte { return []byte("log of receipts " + key) }

// sign makes the row that of a log which has grown.
func (r *headRow) sign(log openLog, grown receiptlog.Frontier) error {
	text, err := receiptlog.Head{Origin: log.Origin, Size: grown.Size(), Root: grown.Root()}.Sign(log.secret)
	if err != nil {
		return err
	}
	signed := string(text)
	r.frontier, r.head = grown.Marshal(), &signed
	return nil
}
