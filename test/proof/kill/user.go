package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const (
	maxNotes = 80 // of each user, kept to explain a violation
	maxTags  = 4  // entity tags of pictures that are gone, which nobody may be told to keep
)

// user is what the harness knows of one user.
type user struct {
	testbed.Person
	history
	standing history     // of ends and readmissions
	hasEnded atomic.Bool // or may have: somebody should readmit the user

	seen       sync.Mutex
	registered bool           // an upload was acknowledged, so no answer may say that the user is unknown
	tags       map[string]int // entity tag → picture, of those since the history began
	gone       []string       // entity tags from before
	notes      []string
}

// note keeps a line of what happened, for people.
func (u *user) note(format string, args ...any) {
	u.seen.Lock()
	defer u.seen.Unlock()
	if len(u.notes) >= maxNotes {
		u.notes = append(u.notes[:0], u.notes[maxNotes/2:]...)
	}
	u.notes = append(u.notes, time.Now().Format("15:04:05.000000 ")+fmt.Sprintf(format, args...))
}

// events returns what was noted.
func (u *user) events() []string {
	u.seen.Lock()
	defer u.seen.Unlock()
	return slices.Clone(u.notes)
}

// start forgets what the user had: the history begins anew with one certain picture.
func (u *user) start(picture int) {
	u.settle(picture)
	u.seen.Lock()
	defer u.seen.Unlock()
	for tag, of := range u.tags {
		if of != picture {
			u.gone = append(u.gone, tag)
			delete(u.tags, tag)
		}
	}
	u.gone = u.gone[max(0, len(u.gone)-maxTags):]
}

// tag returns an entity tag that the user's picture has or had, "" when none is known.
func (u *user) tag(old bool) string {
	u.seen.Lock()
	defer u.seen.Unlock()
	if old && len(u.gone) > 0 {
		return u.gone[len(u.gone)-1]
	}
	for tag := range u.tags {
		return tag
	}
	return ""
}

// generation returns that of a picture which was seen, "" otherwise.
func (u *user) generation(picture int) string {
	u.seen.Lock()
	defer u.seen.Unlock()
	for tag, of := range u.tags {
		if of == picture {
			return client.Read{ETag: tag}.Generation()
		}
	}
	return ""
}

// isRegistered reports whether an upload of the user was acknowledged, now or before.
func (u *user) isRegistered(now bool) bool {
	u.seen.Lock()
	defer u.seen.Unlock()
	u.registered = u.registered || now
	return u.registered
}

// identify returns the picture that a read shows. Problem tells what is wrong with the answer by itself.
func (u *user) identify(r client.Read, asked string, pictures *testbed.PictureSet) (picture int, kind, problem string) {
	switch r.Status {
	case 404:
		return none, "", ""
	case 304:
		u.seen.Lock()
		defer u.seen.Unlock()
		if picture, ok := u.tags[asked]; ok {
			return picture, "", ""
		}
		return none, undone, "304 for the entity tag of a picture that is gone: " + asked
	case 200:
	case 500:
		return none, damaged, "status 500"
	default:
		return none, answer, fmt.Sprintf("status %d", r.Status)
	}
	picture, ok := pictures.Number(r.Data)
	if !ok {
		return none, damaged, fmt.Sprintf("%d bytes that are no picture ever uploaded", len(r.Data))
	}
	u.seen.Lock()
	defer u.seen.Unlock()
	if of, known := u.tags[r.ETag]; known && of != picture || slices.Contains(u.gone, r.ETag) {
		return picture, answer, fmt.Sprintf("entity tag %s was that of picture %d", r.ETag, of)
	}
	u.tags[r.ETag] = picture
	return picture, "", ""
}
