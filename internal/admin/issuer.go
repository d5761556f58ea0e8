package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"example.org/avatard/storage"
)

// MoveIssuer gives the users of one issuer to another and reports whether that changed anything. The error is ErrRefused with a
// reason when either issuer cannot be meant.
func MoveIssuer(ctx context.Context, store storage.Store, from, to string) (moved bool, err error) {
	moved, err = store.MoveIssuer(ctx, from, to, CommandLine)
	switch {
	case errors.Is(err, storage.ErrIssuerNotFound):
		return false, fmt.Errorf("%w: nobody of it is registered", ErrRefused)
	case errors.Is(err, storage.ErrIssuerInUse):
		return false, fmt.Errorf("%w: users of %s are registered already, and the same id may be two people; nothing was changed", ErrRefused, to)
	case errors.Is(err, storage.ErrInvalid):
		return false, fmt.Errorf("%w: an issuer is 1 to %d bytes without control characters, and the two differ", ErrRefused, storage.MaxIDBytes)
	}
	return moved, err
}

// issuerMove serves POST /issuers. A server whose own issuer would lose its users goes on registering people under it: it has to
// be told of the new one first.
func (a *Server) issuerMove(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, func(ctx context.Context, req Request) (bool, error) {
		if req.Issuer == a.Issuer {
			return false, fmt.Errorf("%w: the running server has this issuer; start it with issuer: %s first, or stop it", ErrRefused, req.To)
		}
		return MoveIssuer(ctx, a.Store, req.Issuer, req.To)
	})
}
