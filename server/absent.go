package server

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// absent is what a reader gets where there is no picture.
type absent string

const (
	absentError     absent = "404" // as without the parameter
	absentIdenticon absent = "identicon"
	absentInitials  absent = "initials"
	absentImage     absent = "image" // the configured one
)

const (
	// absentSide is how many pixels a drawing has a side where no size was asked for.
	absentSide = 256
	// drawings counts up when drawings change, so that caches see it.
	drawings = "1"
)

// defaultImage is the configured picture for those who have none.
type defaultImage struct {
	whole picture.Encoded
	tag   string
	sizes map[int]func() (storage.Picture, error)
}

// newDefaultImage brings a picture into the form of uploads.
func newDefaultImage(pictures *picture.Normalizer, data []byte) (*defaultImage, error) {
	whole, err := pictures.Normalize(context.Background(), data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(whole.Data)
	d := &defaultImage{whole: whole, tag: hex.EncodeToString(sum[:8]), sizes: make(map[int]func() (storage.Picture, error))}
	for side := 1; side <= picture.MaxStoredPixelsPerSide; side *= 2 {
		d.sizes[side] = sync.OnceValues(func() (storage.Picture, error) { return smaller(context.Background(), d.copy(), side) })
	}
	return d, nil
}

// copy is for callers who overwrite what they have sent.
func (d *defaultImage) copy() storage.Picture {
	return storage.Picture{Format: d.whole.Format, Data: append([]byte(nil), d.whole.Data...)}
}

// isAbsent reports whether an error says that there is no picture, for one of the reasons that readers cannot tell apart.
func isAbsent(err error) bool {
	f, ok := errors.AsType[*apiError](err)
	return ok && f.reason == noPicture || errors.Is(noneOfThem(err), storage.ErrNoPicture)
}

// answerAbsent answers with what stands for a picture. Nothing in the answer comes from the store, so that it is the same for users who are
// unknown, who are of another organisation, and who have no picture.
func (s *Server) answerAbsent(w http.ResponseWriter, r *http.Request, asked pictureRead) error {
	etag := s.absentTag(asked)
	h := w.Header()
	switch {
	case namesETag(r.Header["If-None-Match"], etag):
		describeForCaches(h, etag, asked.scope)
		w.WriteHeader(http.StatusNotModified)
		return nil
	case r.Method == http.MethodHead:
		describePicture(h, etag, asked.scope)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	sent, p, err := s.absentPicture(w, r, asked)
	if err != nil {
		return err
	}
	defer sent.end()
	if !sent.begin(p.Data) {
		return errCrowded
	}
	describePicture(h, etag, asked.scope)
	h.Set("Content-Type", p.Format.MediaType())
	h.Set("Content-Length", strconv.Itoa(len(p.Data)))
	w.WriteHeader(http.StatusOK)
	sent.write(w)
	return nil
}

// absentTag names what stands for a picture. No generation is called so.
func (s *Server) absentTag(asked pictureRead) string {
	what := s.defaultImage.tagOf()
	if asked.absent != absentImage {
		sum := sha256.Sum256([]byte(asked.user.ID))
		what = drawings + "-" + hex.EncodeToString(sum[:8])
	}
	return `"default-` + string(asked.absent) + "-" + what + "-" + strconv.Itoa(asked.side) + `"`
}

func (d *defaultImage) tagOf() string {
	if d == nil {
		return ""
	}
	return d.tag
}

// absentPicture makes what stands for a picture, once it is this call's turn. The caller must end what it returns.
func (s *Server) absentPicture(w http.ResponseWriter, r *http.Request, asked pictureRead) (*outgoingPicture, storage.Picture, error) {
	room, of := s.readRoom(callOf(r.Context()))
	var turn lease
	if err := room.resizing.acquire(r.Context(), &turn, of, 1, nil); err != nil {
		return nil, storage.Picture{}, err
	}
	defer turn.release()
	p, err := s.standIn(asked)
	if err != nil {
		return nil, storage.Picture{}, err
	}
	sent, err := s.send(w, r, len(p.Data))
	return sent, p, err
}

// standIn returns what stands for the picture of whom the caller has asked for.
func (s *Server) standIn(asked pictureRead) (storage.Picture, error) {
	if asked.absent == absentImage {
		if asked.side == 0 {
			return s.defaultImage.copy(), nil
		}
		p, err := s.defaultImage.sizes[asked.side]()
		p.Data = append([]byte(nil), p.Data...)
		return p, err
	}
	text, side := "", asked.side
	if asked.absent == absentInitials {
		text = lettersOf(asked.user.ID)
	}
	if side == 0 {
		side = absentSide
	}
	sum := sha256.Sum256([]byte(asked.user.ID))
	return storage.Picture{Format: storage.PNG, Data: picture.Portrait(text, binary.BigEndian.Uint64(sum[:]), side)}, nil
}

// lettersOf returns two letters of an id that its readers have named themselves: those that its words begin with or, where it has digits
// alone, the last two, since numbers given in turn begin alike.
func lettersOf(id string) string {
	if strings.ContainsFunc(id, unicode.IsLetter) {
		return picture.Monogram(id)
	}
	digits := strings.Map(func(r rune) rune {
		if !unicode.IsDigit(r) {
			return -1
		}
		return r
	}, id)
	last := []rune(digits)
	return string(last[max(0, len(last)-2):])
}
