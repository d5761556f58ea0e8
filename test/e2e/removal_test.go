package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	managementv1 "avatard/gen/zitadel/management/v1"
	managementconnect "avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "avatard/gen/zitadel/v1"
)

// removalTimeout is the deadline that every removal of the tests brings along. No test waits for it: who meets it
// gets the code of a deadline, which no test wants.
const removalTimeout = 20 * time.Second

// removalForm is a wire form in which a client can ask for a user's picture to be deleted.
type removalForm struct {
	name string
	send func(ctx context.Context, r *remover, token, user string) removal
}

// removal is what came of asking, in terms that all forms share.
type removal struct {
	code    connect.Code // 0 = success
	status  int          // of HTTP
	message string
	details *zitadelv1.ObjectDetails
	// header holds the headers and trailers of the answer.
	header http.Header
	// raw is everything that arrived, for searching.
	raw string
	err error // the answer is none
}

// remover is a client of one server that speaks all forms.
type remover struct {
	url          string
	http1, http2 *http.Transport
	// organization goes into x-zitadel-orgid, "" = no such header.
	organization string
	// wrote is called when a request has been sent, nil = nothing.
	wrote func()
}

func newRemover(t *testing.T, url string) *remover {
	client := func(http2 bool) *http.Transport {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(!http2)
		protocols.SetUnencryptedHTTP2(http2)
		return &http.Transport{Protocols: protocols, DisableCompression: true}
	}
	r := &remover{url: url, http1: client(false), http2: client(true)}
	t.Cleanup(r.close)
	return r
}

// close ends the connections, for which a server that shuts down would wait.
func (r *remover) close() {
	r.http1.CloseIdleConnections()
	r.http2.CloseIdleConnections()
}

// removalForms lists the five forms, each over the HTTP version that its clients use.
func removalForms() []removalForm {
	rpc := func(name string, transport func(*remover) http.RoundTripper, options ...connect.ClientOption) removalForm {
		return removalForm{name, func(ctx context.Context, r *remover, token, user string) removal {
			return r.sendRPC(ctx, transport(r), options, token, user)
		}}
	}
	http1 := func(r *remover) http.RoundTripper { return r.http1 }
	http2 := func(r *remover) http.RoundTripper { return r.http2 }
	text := func(r *remover) http.RoundTripper { return base64Transport{r.http1} }
	return []removalForm{
		{"REST", sendRESTRemoval},
		rpc("Connect", http1, connect.WithProtoJSON()),
		rpc("gRPC", http2, connect.WithGRPC()),
		rpc("gRPC-Web", http1, connect.WithGRPCWeb()),
		rpc("gRPC-Web text", text, connect.WithGRPCWeb()),
	}
}

// remove asks in one form.
func (r *remover) remove(t *testing.T, form removalForm, token, user string) removal {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), removalTimeout)
	defer cancel()
	if r.wrote != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { r.wrote() }})
	}
	got := form.send(ctx, r, token, user)
	if got.err != nil {
		t.Errorf("%s: %v", form.name, got.err)
	}
	return got
}

// removeInAllForms asks in all forms at once and returns what came by the name of the form.
func (r *remover) removeInAllForms(t *testing.T, token, user string) map[string]removal {
	t.Helper()
	type named struct {
		name string
		removal
	}
	results := make(chan named)
	for _, form := range removalForms() {
		go func() { results <- named{form.name, r.remove(t, form, token, user)} }()
	}
	all := map[string]removal{}
	for range removalForms() {
		got := <-results
		all[got.name] = got.removal
	}
	return all
}

func sendRESTRemoval(ctx context.Context, r *remover, token, user string) removal {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, r.url+"/management/v1/users/"+url.PathEscape(user)+"/avatar", nil)
	if err != nil {
		return removal{err: err}
	}
	r.identify(req.Header, token)
	req.Header.Set("Grpc-Timeout", fmt.Sprintf("%dm", removalTimeout.Milliseconds()))
	wire := &wiretap{next: r.http1}
	res, err := wire.RoundTrip(req)
	if err != nil {
		return removal{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return removal{err: err}
	}
	got := wire.removal()
	if res.StatusCode == http.StatusOK {
		var message managementv1.RemoveHumanAvatarResponse
		got.err = protojson.Unmarshal(body, &message)
		got.details = message.GetDetails()
		return got
	}
	var e struct {
		Code    uint32
		Message string
	}
	got.err = json.Unmarshal(body, &e)
	got.code, got.message = connect.Code(e.Code), e.Message
	return got
}

func (r *remover) identify(header http.Header, token string) {
	header.Set("Authorization", "Bearer "+token)
	if r.organization != "" {
		header.Set("X-Zitadel-Orgid", r.organization)
	}
}

func (r *remover) sendRPC(ctx context.Context, transport http.RoundTripper, options []connect.ClientOption, token, user string) removal {
	wire := &wiretap{next: transport}
	ctx, info := connect.NewClientContext(ctx)
	r.identify(info.RequestHeader(), token)
	client := managementconnect.NewManagementServiceClient(&http.Client{Transport: wire}, r.url, options...)
	res, err := client.RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: user})
	got := wire.removal()
	if err == nil {
		got.details = res.GetDetails()
		return got
	}
	e, ok := errors.AsType[*connect.Error](err)
	if !ok || !connect.IsWireError(err) {
		got.err = fmt.Errorf("no answer of a server: %w", err)
		return got
	}
	got.code, got.message = e.Code(), e.Message()
	for name, values := range e.Meta() {
		got.header[name] = values
		got.raw += name + ": " + strings.Join(values, ", ") + "\n"
	}
	for _, detail := range e.Details() {
		got.raw += string(detail.Bytes()) + "\n"
	}
	return got
}

// wiretap keeps what an answer consisted of.
type wiretap struct {
	next http.RoundTripper
	res  *http.Response
	body bytes.Buffer
}

func (w *wiretap) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	w.res = res
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(res.Body, &w.body), res.Body}
	return res, nil
}

// removal returns what arrived, once the body has been read.
func (w *wiretap) removal() removal {
	if w.res == nil {
		return removal{}
	}
	got := removal{status: w.res.StatusCode, header: http.Header{}}
	var raw strings.Builder
	for _, part := range []http.Header{w.res.Header, w.res.Trailer} {
		for name, values := range part {
			got.header[name] = values
			fmt.Fprintf(&raw, "%s: %s\n", name, values)
		}
	}
	raw.Write(w.body.Bytes())
	got.raw = raw.String()
	return got
}

// base64Transport speaks gRPC-Web text for a client that speaks gRPC-Web.
type base64Transport struct{ next http.RoundTripper }

func (b base64Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	encoded := base64.StdEncoding.EncodeToString(body)
	out := req.Clone(req.Context())
	out.Body, out.ContentLength = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded))
	out.Header.Set("Content-Type", "application/grpc-web-text+proto")
	res, err := b.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	encodedAnswer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	answer, err := decodePieces(encodedAnswer)
	if err != nil {
		return nil, err
	}
	res.Header.Set("Content-Type", "application/grpc-web+proto")
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	return res, nil
}

// decodePieces decodes padded pieces of base64, one after the other.
func decodePieces(text []byte) ([]byte, error) {
	var plain []byte
	for len(text) > 0 {
		end := len(text)
		if pad := bytes.IndexByte(text, '='); pad >= 0 {
			end = min(pad+4-pad%4, len(text))
		}
		piece, err := base64.StdEncoding.AppendDecode(plain, text[:end])
		if err != nil {
			return nil, fmt.Errorf("answer %q is no base64: %w", text, err)
		}
		plain, text = piece, text[end:]
	}
	return plain, nil
}

// do sends any other request over HTTP/1.1 and reads the answer as one of REST or of Connect.
func (r *remover) do(t *testing.T, method, url, token, contentType string, body []byte) removal {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		return failedRemoval(t, method, url, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	wire := &wiretap{next: r.http1}
	res, err := wire.RoundTrip(req)
	if err != nil {
		return failedRemoval(t, method, url, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return failedRemoval(t, method, url, err)
	}
	got := wire.removal()
	if res.StatusCode >= 400 {
		var e struct {
			Code    any // a number on REST, a word in Connect
			Message string
		}
		err := json.Unmarshal(text, &e)
		if word, ok := e.Code.(string); ok && err == nil {
			err = got.code.UnmarshalText([]byte(word))
		} else if number, ok := e.Code.(float64); ok {
			got.code = connect.Code(number)
		}
		got.message = e.Message
		if err != nil {
			return failedRemoval(t, method, url, err)
		}
	}
	return got
}

func failedRemoval(t *testing.T, method, url string, err error) removal {
	t.Helper()
	t.Errorf("%s %s: %v", method, url, err) // not Fatal: goroutines come here, too
	return removal{err: err, header: http.Header{}}
}

// upload sends a picture in a form.
func (r *remover) upload(t *testing.T, url, token string, data []byte) removal {
	t.Helper()
	form, contentType := uploadForm(data)
	return r.do(t, http.MethodPost, url, token, contentType, form)
}

// uploadForm returns the body of an upload and its media type.
func uploadForm(data []byte) (form []byte, contentType string) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile("file", "me.png") // writing into memory does not fail
	part.Write(data)
	w.Close()
	return body.Bytes(), w.FormDataContentType()
}
