package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// pictureRead is a request for a picture.
type pictureRead struct {
	pictureQuery
	user  storage.UserKey
	org   string
	scope string // of caches: "private" or "public"
}

// readOwn sends the caller's own picture.
func (s *Server) readOwn(w http.ResponseWriter, r *http.Request, _ []string) error {
	query, err := s.pictureQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	c := callOf(r.Context())
	c.user = c.caller.Subject
	asked := pictureRead{query, s.userKey(c.caller.Subject), c.organization, "private"}
	return errorForSelf(s.orAbsent(w, r, asked, s.answerRead(w, r, asked)))
}

// read sends the picture of a user in an organisation. The answer is the same for every reason for which there is no picture, so that
// no caller learns which ids exist.
func (s *Server) read(w http.ResponseWriter, r *http.Request, variables []string) error {
	query, err := s.pictureQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	asked := pictureRead{query, s.userKey(variables[1]), variables[0], "private"}
	if s.config.PublicAssets {
		asked.scope = "public"
	}
	if err = checkReadIDs(asked.org, asked.user.ID); err == nil {
		err = noneOfThem(s.answerRead(w, r, asked))
	}
	return s.orAbsent(w, r, asked, err)
}

// orAbsent answers with what was asked for where there is no picture, or returns the error that an answer has come to.
func (s *Server) orAbsent(w http.ResponseWriter, r *http.Request, asked pictureRead, err error) error {
	if asked.absent != "" && isAbsent(err) {
		return s.answerAbsent(w, r, asked)
	}
	return err
}

// answerRead answers GET and HEAD with a picture, or returns why not. An answer without bytes takes no memory for a picture and reads none.
func (s *Server) answerRead(w http.ResponseWriter, r *http.Request, asked pictureRead) error {
	info, err := s.config.Store.Stat(r.Context(), asked.user, asked.org)
	if err == nil && info.Generation == "" {
		err = storage.ErrNoPicture
	}
	if err != nil {
		if errors.Is(err, storage.ErrNoPicture) || errors.Is(err, storage.ErrUserNotFound) {
			s.renditions.drop(asked.user) // another process may have erased it
		}
		return err
	}
	if !asked.wants(info.Generation) {
		return storage.ErrNoPicture
	}
	if done, err := answerWithoutBytes(w, r, info, asked); done || err != nil {
		return err
	}
	if asked.side > 0 {
		return s.answerResized(w, r, info, asked)
	}
	sent, err := s.send(w, r, int(info.Size))
	if err != nil {
		return err
	}
	defer sent.end()
	p, err := s.get(r.Context(), sent, asked.user, asked.org)
	if err != nil {
		return err
	}
	return sendPicture(w, r, p, asked, sent)
}

// get waits for a turn and reads the picture.
func (s *Server) get(ctx context.Context, sent *outgoingPicture, user storage.UserKey, org string) (storage.Picture, error) {
	if err := sent.room.turns.acquire(ctx, &sent.turn, sent.bytes.key, 1, nil); err != nil {
		return storage.Picture{}, err
	}
	defer sent.turn.release()
	return s.config.Store.Get(ctx, user, org)
}

// noneOfThem makes one answer of all reasons for having no picture.
func noneOfThem(err error) error {
	for _, none := range [...]error{storage.ErrUserNotFound, storage.ErrOtherOrganization, storage.ErrOrganizationNotFound} {
		if errors.Is(err, none) {
			return storage.ErrNoPicture
		}
	}
	return err
}

// checkReadIDs refuses ids that are not valid, with the same answer as ids that do not exist.
func checkReadIDs(org, user string) error {
	if ids.Valid(org) && ids.Valid(user) {
		return nil
	}
	return &apiError{reason: noPicture}
}

// answerWithoutBytes answers HEAD, and 304 to a client that has this very picture. It reports whether it has answered.
func answerWithoutBytes(w http.ResponseWriter, r *http.Request, info storage.Info, asked pictureRead) (done bool, err error) {
	etag, err := entityTag(info.Generation, info.Format, asked.side)
	if err != nil {
		return false, err
	}
	switch {
	case namesETag(r.Header["If-None-Match"], etag):
		describeForCaches(w.Header(), etag, asked.scope)
		w.WriteHeader(http.StatusNotModified)
	case r.Method == http.MethodHead:
		describePicture(w.Header(), etag, asked.scope)
		if asked.side == 0 { // else only making the picture would tell (RFC 9110 section 9.3.2)
			w.Header().Set("Content-Type", info.Format.MediaType())
			w.Header().Set("Content-Length", strconv.FormatInt(info.Size, 10))
		}
		w.WriteHeader(http.StatusOK)
	default:
		return false, nil
	}
	return true, nil
}

// sendPicture answers GET with a picture, or with 304 where it became the one that the caller has since answerWithoutBytes.
func sendPicture(w http.ResponseWriter, r *http.Request, p storage.Picture, asked pictureRead, sent *outgoingPicture) error {
	if !asked.wants(p.Generation) { // it was replaced since answerRead looked
		clear(p.Data)
		return storage.ErrNoPicture
	}
	etag, err := entityTag(p.Generation, p.Format, asked.side)
	if err != nil {
		clear(p.Data)
		return err
	}
	if !sent.begin(p.Data) {
		clear(p.Data)
		return errCrowded
	}
	h := w.Header()
	if namesETag(r.Header["If-None-Match"], etag) {
		describeForCaches(h, etag, asked.scope)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	describePicture(h, etag, asked.scope)
	h["Content-Type"] = []string{p.Format.MediaType()}
	h["Content-Length"] = []string{strconv.Itoa(len(p.Data))}
	w.WriteHeader(http.StatusOK)
	sent.write(w)
	return nil
}

// wants reports whether a picture is the one that was asked for.
func (q pictureQuery) wants(generation string) bool {
	return q.generation == "" || q.generation == generation
}

// entityTag names one picture in one form: with a side, 0 = as stored. A hash of the content would outlive it; the generation is random.
func entityTag(generation string, format storage.Format, side int) (string, error) {
	media := format.MediaType()
	if media == "" || generation == "" {
		return "", fmt.Errorf("stored picture has format %d and generation %q", format, generation)
	}
	if side > 0 {
		return `"` + generation + "-" + strconv.Itoa(side) + `"`, nil
	}
	return `"` + generation + "-full-" + strings.TrimPrefix(media, "image/") + `"`, nil
}

// describePicture sets the headers of an answer with a picture, or about one, but for 304.
func describePicture(h http.Header, etag, scope string) {
	describeForCaches(h, etag, scope)
	h["X-Content-Type-Options"], h["Content-Security-Policy"], h["Accept-Ranges"] = noSniff, noCode, noRanges
}

// describeForCaches sets those of the headers that 304 has as well (RFC 9110 section 15.4.5); the client keeps the others from the answer
// with the picture. Caches have to ask again each time: after a delete the answer is 404, also to a cache that still holds the picture.
func describeForCaches(h http.Header, etag, scope string) {
	h["Etag"] = []string{etag}
	h["Cache-Control"] = publicNoCache
	if scope == "private" {
		h["Cache-Control"] = privateNoCache
		h.Add("Vary", "Authorization") // beside the value for web origins
	}
}

// Values of header fields that never change, so that no answer allocates them.
var (
	publicNoCache, privateNoCache = []string{"public, no-cache"}, []string{"private, no-cache"}
	noSniff, noRanges             = []string{"nosniff"}, []string{"none"}
	noCode                        = []string{"default-src 'none'; sandbox"}
)

// namesETag reports whether If-None-Match names the tag or any (RFC 9110 section 13.1.2, weak comparison).
func namesETag(values []string, etag string) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			tag = strings.Trim(tag, " \t")
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
