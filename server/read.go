package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"avatard/authz"
	"avatard/authz/limit"
	"avatard/storage"
)

// readOwn sends the caller's own picture.
func (s *Server) readOwn(w http.ResponseWriter, r *http.Request, _ []string) {
	if err := s.admitREST(r, access{own: true}); err != nil {
		s.refuse(w, r, err)
		return
	}
	c := callOf(r.Context())
	place, err := s.reads.take(r.Context(), limit.Address(c.address).String(), 1, nil)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer place.release()
	p, err := s.Store.Get(r.Context(), s.userKey(c.caller.Subject), c.organization)
	if err != nil {
		s.refuseFor(w, r, ownUser(err), c.caller.Subject)
		return
	}
	s.sendPicture(w, r, p, "private")
}

// read sends the picture of a user in an organisation. Whatever the reason for having none, the answer is the same:
// it tells nobody which ids exist.
func (s *Server) read(w http.ResponseWriter, r *http.Request, variables []string) {
	org, user := variables[0], variables[1]
	scope := "public"
	if !s.PublicAssets {
		scope = "private"
		if err := s.admitReader(r, org, user); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	if err := checkReadIDs(org, user); err != nil { // where nobody was asked for a token, here first
		s.refuse(w, r, err)
		return
	}
	place, err := s.reads.take(r.Context(), limit.Address(callOf(r.Context()).address).String(), 1, nil)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer place.release()
	p, err := s.Store.Get(r.Context(), s.userKey(user), org)
	for _, none := range [...]error{storage.ErrUserNotFound, storage.ErrOtherOrganization, storage.ErrOrganizationNotFound} {
		if errors.Is(err, none) {
			err = storage.ErrNoPicture
		}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.sendPicture(w, r, p, scope)
}

// checkReadIDs refuses ids that nobody can have, as it refuses those that nobody has.
func checkReadIDs(org, user string) error {
	if authz.ValidID(org) && authz.ValidID(user) {
		return nil
	}
	return &failure{situation: noPicture}
}

// admitReader lets the user in, and whoever may read users in the organisation that the path names.
func (s *Server) admitReader(r *http.Request, org, user string) error {
	ctx := r.Context()
	if err := s.authenticate(ctx, r.Header); err != nil {
		return err
	}
	// Before anything is decided or recorded about them: the path holds whatever bytes the caller likes.
	if err := checkReadIDs(org, user); err != nil {
		return err
	}
	takeRESTOrganization(r.Header)
	named, err := s.namedOrganization(ctx, r.Header)
	if err != nil {
		return err
	}
	if named != "" && named != org {
		return &failure{situation: unknownOrganization}
	}
	c := callOf(ctx)
	if c.caller.Subject == user && c.caller.Organization == org {
		c.organization = org
	} else if err := s.permit(ctx, org, authz.UserRead); err != nil {
		return err
	}
	if c.badTimeout {
		return errBadTimeout()
	}
	return nil
}

// sendPicture answers with a picture, or with 304 to somebody who has this very one. Caches have to ask again each
// time: after a delete the answer is 404, whatever they hold.
func (s *Server) sendPicture(w http.ResponseWriter, r *http.Request, p storage.Picture, scope string) {
	media := p.Format.MediaType()
	if media == "" || p.Generation == "" {
		s.refuse(w, r, fmt.Errorf("stored picture has format %d and generation %q", p.Format, p.Generation))
		return
	}
	// A hash of the content would outlive it; the generation is random. "full" leaves room for smaller sizes.
	etag := `"` + p.Generation + "-full-" + strings.TrimPrefix(media, "image/") + `"`
	h := w.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", scope+", no-cache")
	if scope == "private" {
		h.Add("Vary", "Authorization") // beside what is there for web origins
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Accept-Ranges", "none")
	if namesETag(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(p.Data)))
	// A reader who does not read holds a deleted picture's bytes in memory no longer than this.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(MaxReadDuration))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(p.Data)
	}
}

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
