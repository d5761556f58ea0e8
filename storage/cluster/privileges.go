package cluster

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sqlPrivileges lists what a role that serves may not do and has to. Identity columns need no privilege of their own.
const sqlPrivileges = `
SELECT p || ' on ' || t FROM unnest(ARRAY['person', 'work', 'receipt', 'audit', 'organization', 'issuer', 'issuer_move', 'installation',
                             'receipt_log', 'receipt_hash', 'receipt_head']) t,
       unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
 WHERE NOT has_table_privilege(t, p)
 UNION ALL SELECT 'USAGE on receipt_number' WHERE NOT has_sequence_privilege('receipt_number', 'USAGE')`

// mayChange finds out whether the role may do what calls do. Without that a server would start, and then fail with every delete.
func mayChange(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, sqlPrivileges)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	lacking, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if len(lacking) > 0 {
		return fmt.Errorf("the database is %w: its role lacks %s; grant that, or take the role that owns the schema", ErrUnsuitable, strings.Join(lacking, ", "))
	}
	return nil
}

// maySee returns an error when there is a schema that the role may not look into: that is not the same as none.
func maySee(ctx context.Context, conn *pgx.Conn) error {
	var hidden bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1 AND NOT has_schema_privilege(oid, 'USAGE'))`, schemaName).Scan(&hidden)
	if err == nil && hidden {
		err = fmt.Errorf("the role of the database may not use the schema %s: grant that, or take the role that owns it", schemaName)
	}
	return err
}
