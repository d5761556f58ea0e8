package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"avatard/storage"
)

func moveIssuer(ctx context.Context, store storage.Store, from, to string) (moved bool, err error) {
	moved, err = store.MoveIssuer(ctx, from, to, commandLine)
	switch {
	case errors.Is(err, storage.ErrIssuerNotFound):
		return false, fmt.Errorf("%w: nobody of it is registered", errRefused)
	case errors.Is(err, storage.ErrIssuerInUse):
		return false, fmt.Errorf("%w: users of %s are registered already, and the same id may be two people; nothing was changed", errRefused, to)
	case errors.Is(err, storage.ErrInvalid):
		return false, fmt.Errorf("%w: an issuer is 1 to %d bytes without control characters, and the two differ", errRefused, storage.MaxIDBytes)
	}
	return moved, err
}

// issuerMove serves POST /issuers. A server whose own issuer would lose its users goes on registering people under it: it has to
// be told of the new one first.
func (a *admin) issuerMove(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, func(ctx context.Context, req adminRequest) (bool, error) {
		if req.Issuer == a.issuer {
			return false, fmt.Errorf("%w: the running server has this issuer; start it with issuer: %s first, or stop it", errRefused, req.To)
		}
		return moveIssuer(ctx, a.store, req.Issuer, req.To)
	})
}
