package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"avatard/storage/embedded"
)

// backupStall is how long either side of the admin socket may keep the other one waiting in the middle of a backup.
const backupStall = time.Minute

// backupRequest asks for a backup. Its bytes are the answer; whether they are all of them only their end tells.
type backupRequest struct {
	ReceiptsOnly bool `json:"receipts_only"`
}

// backuper is a store that can be backed up.
type backuper interface {
	Backup(ctx context.Context, w io.Writer, opt embedded.BackupOptions) (embedded.BackupSummary, error)
}

// backup answers with a backup of the store.
func (a *admin) backup(w http.ResponseWriter, r *http.Request) {
	var req backupRequest
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	body.DisallowUnknownFields()
	if err := body.Decode(&req); err != nil {
		writeAdmin(w, http.StatusBadRequest, adminResponse{Error: "the request is not what this server understands; is the command of another version?"})
		return
	}
	store, ok := a.store.(backuper)
	if !ok {
		writeAdmin(w, http.StatusNotImplemented, adminResponse{Error: "the server's store makes no backups"})
		return
	}
	if !a.backups.TryLock() {
		writeAdmin(w, http.StatusConflict, adminResponse{Error: "another backup is under way; try again when it is done"})
		return
	}
	defer a.backups.Unlock()
	out := &backupResponse{w: w, control: http.NewResponseController(w)}
	// The time limits of the server are for short calls. Here each write has one of its own.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		a.logger.Error("backup", "error", err)
	}
	sum, err := store.Backup(r.Context(), out, embedded.BackupOptions{ReceiptsOnly: req.ReceiptsOnly})
	switch {
	case err == nil:
		a.logger.Info("backup", "receipts_only", req.ReceiptsOnly, "ended", sum.Ended, "pictures", sum.Pictures, "receipts", sum.Receipts,
			"unreadable", sum.Unreadable, "bytes", sum.Bytes)
	case !out.begun:
		a.logger.Error("backup failed", "error", err)
		writeAdmin(w, http.StatusServiceUnavailable, adminResponse{Error: "the store is not available now; the server's log says more"})
	default:
		if errors.Is(err, context.Canceled) {
			a.logger.Warn("backup was given up by its caller", "error", err)
		} else {
			a.logger.Error("backup failed", "error", err)
		}
		panic(http.ErrAbortHandler) // cuts the connection, so that the caller sees that it is not whole
	}
}

// backupResponse is the body of an answer of any length to a caller who takes it.
type backupResponse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (o *backupResponse) Write(p []byte) (int, error) {
	if !o.begun {
		o.begun = true
		o.w.Header().Set("Content-Type", "application/octet-stream")
		o.w.WriteHeader(http.StatusOK)
	}
	if err := o.control.SetWriteDeadline(time.Now().Add(backupStall)); err != nil {
		return 0, err
	}
	return o.w.Write(p)
}
