package server

import (
	"context"
	"fmt"
	"net/http"

	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// answerResized answers GET with the picture in a size. info is what the store has just said of it: that, and nothing older, decides whether
// what is kept in memory may be sent.
func (s *Server) answerResized(w http.ResponseWriter, r *http.Request, info storage.Info, asked pictureRead) error {
	if size := s.renditions.size(asked.rendition(info)); size > 0 {
		if done, err := s.sendKept(w, r, info, size, asked); done || err != nil {
			return err
		}
	}
	sent, p, err := s.resized(w, r, asked)
	if err != nil {
		return err
	}
	defer sent.end()
	return sendPicture(w, r, p, asked, sent)
}

// rendition is what is asked for of the picture that there is.
func (asked pictureRead) rendition(info storage.Info) rendition {
	return rendition{asked.user, info.Generation, asked.side}
}

// sendKept answers with a rendition of so many bytes that is kept. It reports false when that was dropped meanwhile.
func (s *Server) sendKept(w http.ResponseWriter, r *http.Request, info storage.Info, size int, asked pictureRead) (done bool, err error) {
	sent, err := s.send(w, r, size)
	if err != nil {
		return false, err
	}
	defer sent.end()
	p, ok := s.renditions.get(asked.rendition(info))
	if !ok {
		return false, nil
	}
	return true, sendPicture(w, r, p, asked, sent)
}

// resized makes the picture smaller, once it is this call's turn: a caller who asks for many waits for their own. Meanwhile it takes no
// memory, and has read nothing that could become old. The caller must end what it returns.
func (s *Server) resized(w http.ResponseWriter, r *http.Request, asked pictureRead) (sent *outgoingPicture, p storage.Picture, err error) {
	ctx := r.Context()
	room, of := s.readRoom(callOf(ctx))
	var turn lease
	if err := room.resizing.acquire(ctx, &turn, of, 1, nil); err != nil {
		return nil, p, err
	}
	defer turn.release()
	since := s.renditions.since(asked.user)
	info, err := s.config.Store.Stat(ctx, asked.user, asked.org)
	if err != nil {
		return nil, p, err
	}
	if sent, err = s.send(w, r, int(info.Size)); err != nil {
		return nil, p, err
	}
	p, kept := s.renditions.get(asked.rendition(info)) // made while this call waited
	if kept {
		return sent, p, nil
	}
	if p, err = s.get(ctx, sent, asked.user, asked.org); err == nil {
		p, err = smaller(ctx, p, asked.side)
	}
	if err != nil {
		sent.end()
		return nil, p, err
	}
	s.renditions.keep(rendition{asked.user, p.Generation, asked.side}, since, p.Format, p.Data)
	return sent, p, nil
}

// smaller returns a stored picture with no side over side, and overwrites its bytes unless it returns them: one that is not larger stays as
// it is.
func smaller(ctx context.Context, p storage.Picture, side int) (storage.Picture, error) {
	stored, err := picture.OpenStored(p.Data)
	if err == nil && stored.Side() <= side {
		return p, nil
	}
	defer clear(p.Data)
	var made picture.Encoded
	if err == nil {
		made, err = stored.Resize(ctx, side)
	}
	switch {
	case ctx.Err() != nil:
		return storage.Picture{}, ctx.Err()
	case err != nil:
		return storage.Picture{}, fmt.Errorf("make a picture smaller: %v", err) //nolint:errorlint // it is no fault of the caller's, as it is in an upload
	}
	return storage.Picture{Generation: p.Generation, Format: made.Format, Data: made.Data}, nil
}
