package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/clustertest"
)

// databaseTurnedBack puts the database of the first round back after the second. The bucket stays as it is.
func databaseTurnedBack(servers *clustertest.Servers) func(name string, rounds int) error {
	return func(name string, rounds int) error {
		ctx := context.Background()
		kept, there := pgx.Identifier{name + "kept"}.Sanitize(), pgx.Identifier{name}.Sanitize()
		var statements []string
		switch rounds {
		case 1:
			statements = []string{"CREATE DATABASE " + kept + " TEMPLATE " + there}
		case 2:
			statements = []string{"DROP DATABASE " + there, "CREATE DATABASE " + there + " TEMPLATE " + kept}
		}
		conn, err := pgx.Connect(ctx, servers.DatabaseAddress("postgres"))
		if err != nil {
			return err
		}
		for _, statement := range statements {
			_, failed := conn.Exec(ctx, statement)
			err = errors.Join(err, failed)
		}
		return errors.Join(err, conn.Close(ctx))
	}
}
