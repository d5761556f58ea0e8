package storage

import "errors"

// Errors of a place that a store is kept in. Compare with errors.Is: engines wrap them with the place and with what to do. Commands
// have exit codes for the first six.
var (
	// ErrInUse: another process has the store open, and this engine takes one at a time.
	ErrInUse = errors.New("in use by another process")
	// ErrDamaged: what is there is not as the engine wrote it, or not all of it is there. Starting again does not help, a backup
	// helps.
	ErrDamaged = errors.New("the data is damaged")
	// ErrForeign: another program has made the database.
	ErrForeign = errors.New("the database is not one of avatard")
	// ErrLink: a file of the store is a symbolic link. Following it would put metadata or pictures, or zeros over pictures, wherever
	// it points.
	ErrLink = errors.New("a symbolic link stands in place of a file")
	// ErrNewerSchema: a newer program has written the metadata. The only way back is a backup.
	ErrNewerSchema = errors.New("the schema is newer than this program")

	// ErrMoved: the store was moved to another place, or is being moved, and nothing else is to serve it or change it.
	ErrMoved = errors.New("the store was moved")

	// ErrNoStore: nothing is there. Opening the place would make a new store.
	ErrNoStore = errors.New("there is no database")
	// ErrStoreExists: a store is there already, so nothing can be restored into the place.
	ErrStoreExists = errors.New("there is a store already")
	// ErrHalfRestored: a restore was begun and not finished. Doing it again replaces what is there.
	ErrHalfRestored = errors.New("a restore was not finished")
)

// Errors of Keeper and Place. Compare with errors.Is.
var (
	// ErrChecking: the store is being checked already, and one check at a time is enough.
	ErrChecking = errors.New("a check is running already")
	// ErrCannotGoOn: the store does not go on from where that backup has ended.
	ErrCannotGoOn = errors.New("the store does not go on from that backup")
	// ErrReceiptsGone: receipts that came after that backup may have gone because of their age.
	ErrReceiptsGone = errors.New("receipts that came after that backup may have gone because of their age")
	// ErrExportDamaged: records of an export are missing, differ from those that were written, or do not fit together.
	ErrExportDamaged = errors.New("the backup is damaged")
	// ErrOtherStore: the receipts are of another store than the backup.
	ErrOtherStore = errors.New("the receipts are of another store than the backup")
	// ErrGap: for some time between the backup and the end of the receipts, no file holds the receipts of what was erased.
	ErrGap = errors.New("what was erased in between is not known")
)
