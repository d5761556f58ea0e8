package embedded

import "avatard/storage"

// What has moved into package storage and is still called by its old name elsewhere.
type (
	Finding        = storage.Finding
	Summary        = storage.CheckSummary
	CheckOptions   = storage.CheckOptions
	Retention      = storage.Retention
	BackupSummary  = storage.ExportSummary
	BackupOptions  = storage.ExportOptions
	BackupPosition = storage.ExportPosition
	RestoreSummary = storage.ImportSummary
)

// OrphanedBytes is storage.OrphanedBytes.
const OrphanedBytes = storage.OrphanedBytes

// Errors by their old names.
var (
	ErrLocked       = storage.ErrInUse
	ErrDamaged      = storage.ErrDamaged
	ErrForeign      = storage.ErrForeign
	ErrLink         = storage.ErrLink
	ErrNewerSchema  = storage.ErrNewerSchema
	ErrNoDatabase   = storage.ErrNoStore
	ErrChecking     = storage.ErrChecking
	ErrCannotGoOn   = storage.ErrCannotGoOn
	ErrReceiptsGone = storage.ErrReceiptsGone
	ErrGap          = storage.ErrGap
	CheckGaps       = storage.CheckGaps
)
