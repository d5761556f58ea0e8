package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// backupStall is how long either side of the admin socket may keep the other one waiting in the middle of a backup.
const backupStall = time.Minute

// BackupRequest asks for a backup. Its bytes are the answer; whether they are all of them only their end tells.
type BackupRequest struct {
	ReceiptsOnly bool                    `json:"receipts_only"`
	Since        *storage.ExportPosition `json:"since,omitempty"`
}

// backupNumber is the header of the answer that numbers the backups of one run of the server.
const backupNumber = "Backup-Number"

// backupReport tells what became of a backup that was sent: only its receiver sees whether it is whole and on a disk.
type backupReport struct {
	Backup int64 `json:"backup"`
	// Error says why there is no file, "" when there is one.
	Error string `json:"error,omitempty"`
}

// backup answers with a backup of the store.
func (a *Server) backup(w http.ResponseWriter, r *http.Request) {
	var req BackupRequest
	if !readRequest(w, r, &req) {
		return
	}
	if !a.backups.TryLock() {
		writeJSON(w, http.StatusConflict, Response{Error: "another backup is under way; try again when it is done"})
		return
	}
	defer a.backups.Unlock()
	a.made++
	logger := a.Logger.With("backup", a.made)
	w.Header().Set(backupNumber, strconv.FormatInt(a.made, 10))
	out := &backupResponse{w: w, control: http.NewResponseController(w)}
	// The time limits of the server are for short calls. Here each write has one of its own.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		logger.Error("backup", "error", err)
	}
	sum, err := backup.Write(r.Context(), a.Store, out, storage.ExportOptions{ReceiptsOnly: req.ReceiptsOnly, Since: req.Since})
	switch {
	case err == nil:
		// Whether there is a backup now its receiver says, in a call of its own.
		logger.Info("backup sent", "receipts_only", req.ReceiptsOnly, "ended", sum.Ended, "pictures", sum.Pictures, "receipts", sum.Receipts,
			"unreadable", sum.Unreadable, "bytes", sum.Bytes)
	case !out.begun && (errors.Is(err, storage.ErrCannotGoOn) || errors.Is(err, storage.ErrReceiptsGone)):
		logger.Warn("backup refused", "error", err)
		writeJSON(w, http.StatusConflict, Response{Error: err.Error()})
	case !out.begun:
		logger.Error("backup failed", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, Response{Error: "the store is not available now; the server's log says more"})
	default:
		if errors.Is(err, context.Canceled) {
			logger.Warn("backup was given up by its caller", "error", err)
		} else {
			logger.Error("backup failed", "error", err)
		}
		panic(http.ErrAbortHandler) // cuts the connection, so that the caller sees that it is not whole
	}
}

// backupEnd puts into the log what the receiver of a backup says of it.
func (a *Server) backupEnd(w http.ResponseWriter, r *http.Request) {
	var report backupReport
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBytes)).Decode(&report); err != nil {
		writeJSON(w, http.StatusBadRequest, Response{Error: "the request is not what this server understands; is the command of another version?"})
		return
	}
	if report.Error != "" {
		a.Logger.Error("backup failed at its receiver", "backup", report.Backup, "error", report.Error)
	} else {
		a.Logger.Info("backup received", "backup", report.Backup)
	}
	writeJSON(w, http.StatusOK, Response{})
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
