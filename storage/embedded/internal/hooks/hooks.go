// Package hooks lets the proofs of the guarantee reach into the engine. A program built with the tag failpoints has two kinds of hooks:
//
//   - A failpoint is a named place between two steps. The variable FAILPOINT=name:n ends the process, as SIGKILL does, when it
//     passes the place for the n-th time.
//   - A wrong order of steps makes a 200 a lie. The variable WRONG_ORDER chooses one; the proofs run against it and have to notice,
//     since a proof that notices nothing is blind.
//
// Without the tag only the lists of names are left, which the proofs read; the program that is released holds none of them.
package hooks

import "slices"

// Failpoints are the places between two steps of an upload, a replacement and a delete, in the order in which a process passes
// them.
//
// A process passes the places that begin with slab- and open-identified on a new directory only; recover- and sweep- when the process
// before it left something undone; grow- when no slot of the size is free; checkpoint- when the log is long, or the store is closed; all
// others with every upload, replacement or delete. The first word names the step: reserve and activate are the two group commits of an
// upload, register is the registration of a user or an organisation, record is a group commit that only puts finished erasures on record.
var Failpoints = []string{
	// Start-up.
	"open-migrated",     // schema up to date, log not emptied
	"open-log-emptied",  // nothing read yet
	"open-identified",   // the new store has its id
	"slab-created",      // the new slab has its name and is empty
	"slab-head-written", // not synced
	"slab-head-synced",  // its name is not durable
	"open-listed",       // all names durable
	"recover-begin",     // something is undone
	"sweep-apply",       // before the intents of abandoned uploads
	"sweep-commit",      // they are in the transaction
	"sweep-committed",   // durable
	"sweep-zero",        // before a slot is overwritten
	"sweep-zeroed",      // not synced
	"sweep-synced",      // not noted
	"recover-swept",     // not on record
	"record-commit",
	"record-committed",
	"recover-recorded", // before the first call is served

	// Registration beside uploads.
	"register-apply",
	"register-commit",
	"register-committed",
	"register-answer",   // the caller has no answer yet
	"register-answered", // the caller has its answer, or is about to get it

	// A new region.
	"grow-begin",
	"grow-written",  // zeros not synced
	"grow-synced",   // the directory is not synced
	"grow-listed",   // durable, not in the database
	"grow-recorded", // in the database, no slot given out

	// First group commit of an upload.
	"reserve-apply",
	"reserve-commit",
	"reserve-committed",
	"reserve-write",   // before the slot is written
	"reserve-written", // not synced
	"reserve-synced",

	// Second group commit; zeros are for the picture it replaces.
	"activate-apply",
	"erase-receipt", // a receipt is in the transaction, its generation is not erasing yet
	"erase-state",   // both are in the transaction
	"activate-row",  // the new picture is active, the record not changed
	"activate-commit",
	"activate-committed",
	"activate-zero",
	"activate-zeroed", // not synced
	"activate-synced", // not noted
	"upload-answer",
	"upload-answered",

	// A delete.
	"remove-apply",
	"watermark-set", // earlier erasures go on record with this group commit
	"remove-commit",
	"remove-committed",
	"watermark-committed", // their slots not free yet
	"remove-zero",
	"remove-zeroed", // not synced
	"remove-synced", // not noted
	"remove-answer",
	"remove-answered",

	// A piece of the reserve is filled.
	"space-written", // not synced
	"space-synced",  // its name is not durable
	"space-listed",

	// The log is moved into the database; the last time when the store is closed.
	"checkpoint-begin",
	"checkpoint-end", // the log may begin anew
}

// FaultFailpoints are the places that a process passes only when its disk has failed: an upload whose bytes could not be
// made durable is given up, an erasure is put on record while an earlier one is not finished, and a slot is put into quarantine.
var FaultFailpoints = []string{
	"abandon-apply",
	"abandon-commit",
	"abandon-committed",
	"abandon-zero",
	"abandon-zeroed",
	"abandon-synced",
	"abandon-holed", // the disk is full: the slot is a hole, not synced
	"receipt-done",
	"space-given", // a piece of the reserve was cut off, and nothing has used its blocks yet
	// A slot that cannot be zeroed is taken out of use.
	"quarantine-apply",
	"quarantine-commit",
	"quarantine-committed",
}

// CommandFailpoints are the places that a process passes only when a user is moved to another organisation, when a user is ended, which is
// the group commit after the erasure of the picture, and when an organisation is ended.
var CommandFailpoints = []string{
	"move-apply",
	"move-row", // the record is changed in the transaction, the audit trail not
	"move-commit",
	"move-committed",
	"move-answer",
	"move-answered",
	"erase-user-apply",
	"erase-user-row", // the user has ended in the transaction, which is not in the audit trail yet
	"erase-user-commit",
	"erase-user-committed",
	"erase-user-answer",
	"erase-user-answered",
	"end-organization-apply",
	"end-organization-row", // the organisation is ending in the transaction, which is not in the audit trail yet
	"end-organization-commit",
	"end-organization-committed",
	"end-organization-answer",
	"end-organization-answered",
}

// TrimFailpoints are the places that a process passes when no calls arrive and there is space to give back.
var TrimFailpoints = []string{
	"trim-punch",
	"trim-punched", // the hole is not durable, the slot is still free
	"trim-apply",
	"trim-slots", // the rows of a region's slots are gone in the transaction, the row of the region is not
	"trim-commit",
	"trim-committed", // the file is longer than its regions
	"trim-cut",
	"trim-cut-off", // not durable
}

// PruneFailpoints are the places that a process passes when records have reached their age, or when there are receipts to index or to seal.
var PruneFailpoints = []string{
	"prune-apply",
	"prune-generation", // the row of a slot is gone in the transaction, its receipt is not
	"prune-receipt",
	"prune-receipts", // it is noted up to where they are gone
	"prune-trail",
	"prune-refusals",
	"prune-commit",
	"prune-committed",
	"index-apply",
	"index-rows", // receipts are in the index, which does not count for them yet
	"index-commit",
	"index-committed",
	"seal-apply",
	"seal-rows",   // receipts have their places in the transaction, whose hashes are not kept yet
	"seal-hashes", // they are, and the head is the one of before
	"seal-commit",
	"seal-committed",
	"seal-answer",
	"seal-answered",
	"prune-sealed", // the log has forgotten the texts of the trail in the transaction, and they are there
}

// All returns the places of all lists.
func All() []string {
	return slices.Concat(Failpoints, FaultFailpoints, CommandFailpoints, TrimFailpoints, PruneFailpoints)
}
