package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"runtime"
	"strings"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/internal/ids"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

const (
	// uploadField is the form field that holds the picture.
	uploadField = "file"
	// noticeHeader tells, on success, what of an upload was not kept.
	noticeHeader = "X-Avatard-Notice"
	// maxFormBytes bounds the form around the picture: boundaries, headers, other fields.
	maxFormBytes = 64 << 10
	// maxFormParts bounds the fields of the form. One is needed.
	maxFormParts = 8
)

// The routes of pictures.
const (
	ownPicture     = "/assets/v1/users/me/avatar"
	managedPicture = "/management/v1/users/{user_id}/avatar"
	picturePattern = "/assets/v1/{org_id}/users/{user_id}/avatar"
)

// uploadOwn replaces the caller's own picture, and registers a caller who is not registered yet.
func (s *Server) uploadOwn(w http.ResponseWriter, r *http.Request, _ []string) error {
	c := callOf(r.Context())
	return errorForSelf(s.upload(w, r, storage.Upload{User: s.userKey(c.caller.Subject), Register: true}))
}

// uploadForUser replaces the picture of a user of the organisation that the call acts on.
func (s *Server) uploadForUser(w http.ResponseWriter, r *http.Request, variables []string) error {
	if !ids.Valid(variables[0]) {
		return &apiError{reason: invalidRequest,
			message: "a user id is 1 to 200 characters of UTF-8, none of them a control character"}
	}
	return s.upload(w, r, storage.Upload{User: s.userKey(variables[0]), Register: s.config.RegisterOnAdminUpload})
}

// upload reads, converts and stores one picture.
//
// An upload that arrives takes memory, which other uploads may take away while its sender is slow. It takes a turn to be worked on once
// all of it has arrived, and so holds the turn for no longer than the work takes.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, up storage.Upload) error {
	ctx := r.Context()
	c := callOf(ctx)
	limit := s.config.Pictures.MaxUploadBytes()
	if r.ContentLength > int64(limit+maxFormBytes) {
		return &apiError{reason: uploadTooLarge, message: uploadTooLargeText(limit)}
	}
	demanded, err := conditionIn(r.Header).parse()
	if err != nil {
		return err
	}
	up.If, c.user, c.changes = demanded, up.User.ID, true
	unpacked, err := gunzipUpload(w, r, limit+maxFormBytes)
	if err != nil {
		return err
	}
	defer unpacked()
	arriving, err := s.acceptUpload(w, r)
	if err != nil {
		return err
	}
	defer arriving.end()
	data, err := readUpload(w, r, limit)
	defer clear(data)
	if !arriving.complete() {
		err = errCrowded
	}
	if err != nil {
		return err
	}
	var turn lease
	if err := s.uploads.acquire(ctx, &turn, semaphoreKey{caller: c.caller.Subject}, 1, nil); err != nil {
		return err
	}
	defer turn.release()
	encoded, err := s.normalize(ctx, c, data)
	clear(data) // the rest may take a while
	if err != nil {
		return err
	}
	defer clear(encoded.Data) // the store keeps no slice
	up.Organization, up.By = c.organization, c.origin()
	up.Picture = storage.Picture{Format: encoded.Format, Data: encoded.Data}
	res, err := s.put(ctx, up, &turn)
	s.renditions.drop(up.User)
	if err != nil {
		return err
	}
	if res.Receipt != "" {
		w.Header().Set(receiptHeader, res.Receipt)
	}
	if encoded.Animated {
		w.Header().Set(noticeHeader, "only the first frame of the animation is kept")
	}
	return writeREST(w, &avatardv1.UploadPictureResponse{Details: objectDetails(res.Details), PictureUrl: versionedURL(res.Details.Organization, up.User.ID, res.Generation)})
}

// put stores a picture, which a turn was taken for. Nobody waits for that turn while the directory is asked about the user.
func (s *Server) put(ctx context.Context, up storage.Upload, turn *lease) (storage.Result, error) {
	res, err := s.config.Store.Put(ctx, up)
	if err == nil || up.Register {
		return res, err
	}
	turn.release()
	if err := s.registerFound(ctx, up.User, err); err != nil {
		return res, err
	}
	if err := s.uploads.acquire(ctx, turn, turn.key, 1, nil); err != nil {
		return storage.Result{}, err
	}
	return s.config.Store.Put(ctx, up)
}

// versionedURL is the address of the picture of one upload, and of no other.
func versionedURL(organization, user, generation string) string {
	path := strings.NewReplacer("{org_id}", url.PathEscape(organization), "{user_id}", url.PathEscape(user)).Replace(picturePattern)
	return path + "?" + generationParameter + "=" + generation
}

// normalize brings a picture into its stored form, once there is memory for it. One caller gets half of the memory for all.
func (s *Server) normalize(ctx context.Context, c *call, data []byte) (picture.Encoded, error) {
	up, err := s.config.Pictures.Open(data)
	if err != nil {
		return picture.Encoded{}, err
	}
	var memory lease
	if err := s.decoding.acquire(ctx, &memory, semaphoreKey{caller: c.caller.Subject}, s.decodingShare(up.Memory()), nil); err != nil {
		return picture.Encoded{}, err
	}
	defer memory.release()
	return up.Normalize(ctx)
}

// decodingShare is how many bytes a picture counts for in the budget of memory: at least a processor's share, so that no more pictures
// are worked on than there are processors.
func (s *Server) decodingShare(memory int) int {
	return max(memory, s.decoding.size/max(2, runtime.GOMAXPROCS(0)))
}

// uploadTooLargeText is the message for a picture that is over a limit in bytes.
func uploadTooLargeText(limit int) string {
	return fmt.Sprintf("the picture is larger than %d bytes", limit)
}

// readUpload returns the picture of at most limit bytes in a multipart form (RFC 7578). Nothing of it touches a disk; Request's own
// ParseMultipartForm would put large files into the temporary directory, where a crash leaves them.
func readUpload(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	r.Body = http.MaxBytesReader(innermost(w), r.Body, int64(limit+maxFormBytes))
	form, err := r.MultipartReader()
	if err != nil {
		return nil, &apiError{reason: invalidRequest, message: "an upload is a multipart/form-data body with the field " + uploadField}
	}
	for range maxFormParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, uploadError(r.Context(), err, limit)
		}
		if part.FormName() == uploadField {
			data, err := readPicture(r.Context(), part, int(r.ContentLength), limit)
			if err != nil {
				return nil, err
			}
			// The end of the form, so that the connection can be used again and a form cut off is noticed.
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				clear(data)
				return nil, uploadError(r.Context(), err, limit)
			}
			return data, nil
		}
	}
	return nil, &apiError{reason: invalidRequest, message: fmt.Sprintf("the form has no field %s among its first %d", uploadField, maxFormParts)}
}

// readPicture reads a picture of at most limit bytes. formBytes is the size of the form around it, negative when it is not known. Bytes that
// were read and are not returned are overwritten.
func readPicture(ctx context.Context, part *multipart.Part, formBytes, limit int) ([]byte, error) {
	most := limit + 1 // one more tells that there are too many
	if formBytes < 0 {
		formBytes = leastArriving
	}
	data := make([]byte, 0, min(formBytes+1, most))
	for {
		n, err := part.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case len(data) == most:
			clear(data)
			return nil, &apiError{reason: uploadTooLarge, message: uploadTooLargeText(limit)}
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			clear(data)
			return nil, uploadError(ctx, err, limit)
		}
		if len(data) == cap(data) {
			grown := make([]byte, len(data), min(2*cap(data), most))
			copy(grown, data)
			clear(data)
			data = grown
		}
	}
}

// uploadFailure says why a form could not be read to its end.
func uploadError(ctx context.Context, err error, limit int) error {
	switch why := bodyReason(ctx, err); why {
	case messageTooLarge:
		return &apiError{reason: uploadTooLarge, message: uploadTooLargeText(limit)}
	case invalidRequest:
		return &apiError{reason: invalidRequest, message: "the form is malformed or incomplete"}
	default:
		return &apiError{reason: why}
	}
}
