package embedded

import (
	"embed"
	"io/fs"
)

// applicationID marks the database file as ours ("avtd"); PRAGMA application_id.
const applicationID = 0x61767464

//go:embed schema/*.sql
var schemaFiles embed.FS

// migrations are the schema's versions: migrations[n] is the file of version n+1 and leads there from version n (PRAGMA
// user_version). The file of a version that was released is never edited.
var migrations = readMigrations(schemaFiles)

func readMigrations(files fs.FS) (list []string) {
	names, err := fs.Glob(files, "schema/*.sql") // in the order of their numbers
	for _, name := range names {
		text, rerr := fs.ReadFile(files, name)
		if rerr != nil {
			err = rerr
		}
		list = append(list, string(text))
	}
	if err != nil {
		panic(err) // the program was not linked whole
	}
	return list
}

// States of a generation, as stored.
const (
	stateUploading = 1
	stateActive    = 2
	stateErasing   = 3
)
