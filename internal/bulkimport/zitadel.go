package bulkimport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"example.org/avatard/internal/client"
	"example.org/avatard/internal/ids"
)

// Zitadel is an instance of ZITADEL that pictures come from. It is asked by its user service, version 2, as the public definitions have it:
// proto/zitadel/user/v2/user_service.proto, ListUsers.
type Zitadel struct {
	// URL is where it answers, from client.Address; its own address, not that of a proxy which sends /assets/v1 to avatard.
	URL string
	// Tokens are of somebody who may read the users of the organisation.
	Tokens client.Tokens
	HTTP   *http.Client
	// Limit bounds the bytes of a picture.
	Limit int
}

// Bounds of what is asked and taken.
const (
	zitadelPage     = 100
	maxZitadelUsers = 1_000_000
	maxZitadelPage  = 4 << 20
	zitadelAssets   = "/assets/v1/"
)

// zitadelUsers is the part of ListUsersResponse that counts here.
type zitadelUsers struct {
	Result []struct {
		UserID  string
		Details struct{ ResourceOwner string }
		Human   struct {
			Profile struct{ AvatarURL string }
		}
	}
}

// Items returns an item for each human user of an organisation who has a picture, in the order of their ids.
func (z *Zitadel) Items(ctx context.Context, organization string) ([]Item, error) {
	var items []Item
	for offset := 0; offset < maxZitadelUsers; {
		page, token, err := z.list(ctx, organization, offset)
		if err != nil {
			return nil, fmt.Errorf("ZITADEL: %w", err)
		}
		if len(page.Result) == 0 {
			return items, nil
		}
		offset += len(page.Result)
		for _, u := range page.Result {
			if u.Human.Profile.AvatarURL != "" {
				u.UserID = strings.ReplaceAll(u.UserID, token, "[token]") // it is shown
				items = append(items, z.item(organization, u.UserID, u.Details.ResourceOwner, u.Human.Profile.AvatarURL))
			}
		}
	}
	return nil, fmt.Errorf("ZITADEL: more than %d users", maxZitadelUsers)
}

func (z *Zitadel) item(organization, user, owner, picture string) Item {
	item := Item{Name: client.Printable(user), User: user}
	path, err := pictureBelow(organization, picture)
	switch {
	case !ids.Valid(user) || user == client.Me:
		item.Refused = &Refusal{Reason: BadName, Text: "ZITADEL's id is none that avatard takes"}
	case owner != organization:
		item.Refused = &Refusal{Reason: UnknownUser, Text: "ZITADEL lists the user, who belongs to another organisation"}
	case err != nil:
		item.Refused = &Refusal{Reason: NotAPicture, Text: err.Error()}
	}
	item.Read = func(ctx context.Context) ([]byte, error) { return z.read(ctx, path) }
	return item
}

// pictureBelow returns the path of a picture that ZITADEL keeps for an organisation. Its host is not looked at: pictures are read from the
// instance that was named, and from nowhere else.
func pictureBelow(organization, picture string) (string, error) {
	u, err := url.Parse(picture)
	if err != nil {
		return "", errors.New("the address of the picture is none")
	}
	_, key, found := strings.Cut(u.EscapedPath(), zitadelAssets)
	if !found || !strings.HasPrefix(key, url.PathEscape(organization)+"/") || strings.Contains(u.Path, "..") {
		return "", errors.New("the picture is kept elsewhere than in ZITADEL, which is not read")
	}
	if u.RawQuery != "" {
		key += "?" + u.RawQuery
	}
	return zitadelAssets + key, nil
}

func (z *Zitadel) list(ctx context.Context, organization string, offset int) (page zitadelUsers, token string, err error) {
	body, err := json.Marshal(map[string]any{
		"query":   map[string]any{"offset": fmt.Sprint(offset), "limit": zitadelPage, "asc": true},
		"queries": []any{map[string]any{"organizationIdQuery": map[string]string{"organizationId": organization}}, map[string]any{"typeQuery": map[string]string{"type": "TYPE_HUMAN"}}},
	})
	if err != nil {
		return page, "", err
	}
	token, err = z.Tokens.Token(ctx, "")
	if err != nil {
		return page, "", err
	}
	text, err := z.call(ctx, http.MethodPost, "/v2/users", token, body, maxZitadelPage)
	if err != nil {
		return page, "", err
	}
	if json.Unmarshal(text, &page) != nil {
		return page, "", fmt.Errorf("%s does not answer as ZITADEL does", z.URL)
	}
	return page, token, nil
}

// read fetches a picture, which ZITADEL gives to everybody, so without the token. Whatever it answers for one picture is that picture's
// trouble: the import of the others goes on unless nobody answers.
func (z *Zitadel) read(ctx context.Context, path string) ([]byte, error) {
	data, err := z.call(ctx, http.MethodGet, path, "", nil, z.Limit)
	_, answered := errors.AsType[*zitadelError](err)
	switch {
	case answered:
		return nil, Refuse(Failed, "ZITADEL names a picture, and does not give it: "+err.Error())
	case errors.Is(err, client.ErrRefused):
		return nil, Refuse(TooLarge, fmt.Sprintf("it is larger than %d bytes, which no server takes", z.Limit))
	case err == nil && len(data) == 0: // an instance without a place for files
		return nil, Refuse(NotAPicture, "ZITADEL answers nothing for it")
	}
	return data, err
}

// zitadelError is an answer that is not what was asked for.
type zitadelError struct {
	url    string
	status int
}

// brokeOff stands for a status where an answer ended before its end.
const brokeOff = 0

func (e *zitadelError) Error() string {
	if e.status == brokeOff {
		return e.url + " broke off"
	}
	return fmt.Sprintf("%s answered %d", e.url, e.status)
}

// Unwrap returns the kind that exit codes go by, nil when there is none for it.
func (e *zitadelError) Unwrap() error {
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return client.ErrNotPermitted
	case brokeOff, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return client.ErrUnreachable
	}
	return nil
}

// call makes one request. An answer that is larger than limit is client.ErrRefused.
func (z *Zitadel) call(ctx context.Context, method, path, token string, body []byte, limit int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, z.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := z.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %s does not answer", client.ErrUnreachable, z.URL)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, &zitadelError{z.URL, res.StatusCode}
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &zitadelError{z.URL, brokeOff}
	case len(data) > limit:
		return nil, fmt.Errorf("%w: the answer is too large", client.ErrRefused)
	}
	return data, nil
}
