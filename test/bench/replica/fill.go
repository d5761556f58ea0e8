package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/clustertest"
)

// fill puts users without a picture on record, and the receipt of an erasure for each.
func fill(ctx context.Context, store clustertest.Store, users int) error {
	conn, err := pgx.Connect(ctx, store.Database+" search_path=avatard")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, fmt.Sprintf(`
SET session_replication_role = replica; -- what is named is there: not looked up a million times
INSERT INTO person (iid, id, org, sequence, created_at, changed_at, receipt)
SELECT (SELECT min(iid) FROM issuer), 'user' || i, (SELECT min(id) FROM organization), 3, now(), now(), decode(md5(i::text), 'hex') FROM generate_series(1, %d) i;
INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at)
SELECT nextval('receipt_number'), receipt, uid, 1, now(), now() FROM person WHERE id LIKE 'user%%';
ANALYZE`, users), pgx.QueryExecModeSimpleProtocol)
	return err
}
