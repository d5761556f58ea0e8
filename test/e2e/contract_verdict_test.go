package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
	"example.org/avatard/test/client"
)

// errorDetail is the type of the detail that carries an id.
const errorDetail = "zitadel.v1.ErrorDetail"

// verdict is what an answer says, in terms that all forms share.
type verdict struct {
	wireAnswer
	code    int // of gRPC, 0 = success
	message string
	types   []string // of the details of an error
	// id and plain are what the ErrorDetail says, "" without one.
	id, plain string
	details   *zitadelv1.ObjectDetails // of a success
	// fields are headers and trailers together, those in the body of gRPC-Web included.
	fields http.Header
}

// read says what an answer in the form means. The error tells what is wrong with the form itself.
func (f wireForm) read(a wireAnswer) (verdict, error) {
	v := verdict{wireAnswer: a, fields: a.header.Clone()}
	maps.Copy(v.fields, a.trailer)
	var err error
	switch {
	case f.framed():
		err = v.readFramed(f)
	case f.rest() && a.status == http.StatusOK:
		err = v.readJSON(a.body)
	case f.rest():
		err = v.readREST()
	case a.status == http.StatusOK && f.json():
		err = v.readJSON(a.body)
	case a.status == http.StatusOK:
		err = v.readProto(a.body)
	default:
		err = v.readConnect()
	}
	return v, err
}

// successForm is the JSON of a success, as existing clients parse it. That of an upload has one field more.
var successForm = regexp.MustCompile(`^\{"details":\{"sequence":"[1-9][0-9]*","creationDate":` + jsonTime + `,"changeDate":` + jsonTime + `,"resourceOwner":"[^"]+"\}(,"pictureUrl":"/assets/v1/[^"/]+/users/[^"/]+/avatar\?generation=[0-9a-f]{32}")?\}$`)

const jsonTime = `"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6})?Z"`

func (v *verdict) readJSON(text []byte) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return err
	}
	if !successForm.Match(compact.Bytes()) {
		return fmt.Errorf("%s is not the JSON of a success", text)
	}
	var message avatardv1.UploadPictureResponse // RemoveHumanAvatarResponse and RemoveMyAvatarResponse have fewer fields
	err := protojson.Unmarshal(text, &message)
	v.details = message.GetDetails()
	return err
}

func (v *verdict) readProto(data []byte) error {
	var message managementv1.RemoveHumanAvatarResponse
	if err := proto.Unmarshal(data, &message); err != nil {
		return err
	}
	v.details = message.GetDetails()
	for _, nanos := range []int32{v.details.GetCreationDate().GetNanos(), v.details.GetChangeDate().GetNanos()} {
		if nanos%1000 != 0 {
			return fmt.Errorf("%v has parts of a microsecond", v.details)
		}
	}
	if v.details.GetCreationDate() == nil || v.details.GetChangeDate() == nil || len(v.details.ProtoReflect().GetUnknown()) > 0 {
		return fmt.Errorf("details are %v, want all four fields and no other", v.details)
	}
	return nil
}

// strictJSON decodes text without room for fields that nobody knows.
func strictJSON(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one value", text)
	}
	return nil
}

// readREST reads the body of an error on a REST route.
func (v *verdict) readREST() error {
	var body struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Details []json.RawMessage `json:"details"`
	}
	if err := strictJSON(v.body, &body); err != nil {
		return err
	}
	v.code, v.message = body.Code, body.Message
	if bytes.Contains(v.body, []byte(`"details"`)) && len(body.Details) == 0 {
		return fmt.Errorf("%s has the key details and none in it", v.body)
	}
	for _, raw := range body.Details {
		var typed struct {
			Type string `json:"@type"`
		}
		if err := json.Unmarshal(raw, &typed); err != nil {
			return err
		}
		name, ok := strings.CutPrefix(typed.Type, "type.googleapis.com/")
		if !ok {
			return fmt.Errorf("detail %s has no type URL", raw)
		}
		v.types = append(v.types, name)
		if name != errorDetail {
			continue
		}
		var detail struct {
			Type    string `json:"@type"`
			ID      string `json:"id"`
			Message string `json:"message"`
		}
		if err := strictJSON(raw, &detail); err != nil {
			return err
		}
		v.id, v.plain = detail.ID, detail.Message
	}
	return nil
}

// connectCodes are the names of codes in the Connect protocol, in the order of the codes.
var connectCodes = []string{"", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
	"permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented", "internal",
	"unavailable", "data_loss", "unauthenticated"}

func (v *verdict) readConnect() error {
	var body struct {
		Code, Message string
		Details       []struct {
			Type, Value string
			Debug       json.RawMessage
		}
	}
	if err := strictJSON(v.body, &body); err != nil {
		return err
	}
	v.code, v.message = slices.Index(connectCodes, body.Code), body.Message
	if v.code <= 0 {
		return fmt.Errorf("%s has an unknown code", v.body)
	}
	for _, d := range body.Details {
		value, err := base64.RawStdEncoding.DecodeString(d.Value)
		if err != nil {
			return err
		}
		if err := v.readDetail(d.Type, value); err != nil {
			return err
		}
	}
	return nil
}

func (v *verdict) readDetail(name string, value []byte) error {
	v.types = append(v.types, name)
	if name != errorDetail {
		return nil
	}
	var detail zitadelv1.ErrorDetail
	err := proto.Unmarshal(value, &detail)
	v.id, v.plain = detail.GetId(), detail.GetMessage()
	return err
}

// readFramed reads an answer of the gRPC family: at most one message and a status, which is in the trailers, in the
// headers when there is nothing else, or in the last frame of gRPC-Web.
func (v *verdict) readFramed(f wireForm) error {
	if v.status != http.StatusOK {
		return fmt.Errorf("status of HTTP is %d, want 200", v.status)
	}
	body := v.body
	if f.text() {
		var err error
		if body, err = client.DecodeBase64Pieces(body); err != nil {
			return err
		}
	}
	var messages [][]byte
	for len(body) > 0 {
		if len(body) < 5 || uint32(len(body)-5) < binary.BigEndian.Uint32(body[1:]) {
			return fmt.Errorf("a frame is cut off: %q", body)
		}
		flags, data := body[0], body[5:5+binary.BigEndian.Uint32(body[1:])]
		body = body[5+len(data):]
		if flags == 0 {
			messages = append(messages, data)
			continue
		}
		if flags != 0x80 || f.family != "grpc-web" || len(body) > 0 {
			return fmt.Errorf("a frame with flags %#x and %d bytes after it", flags, len(body))
		}
		if err := v.readTrailerFrame(data); err != nil {
			return err
		}
	}
	if err := v.readStatus(); err != nil {
		return err
	}
	switch {
	case v.code == 0 && len(messages) == 1 && f.json():
		return v.readJSON(messages[0])
	case v.code == 0 && len(messages) == 1:
		return v.readProto(messages[0])
	case v.code != 0 && len(messages) == 0:
		return nil
	}
	return fmt.Errorf("status %d with %d messages", v.code, len(messages))
}

// readTrailerFrame reads the trailers in a body of gRPC-Web. Their names have to be in lower case.
func (v *verdict) readTrailerFrame(data []byte) error {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\r\n"), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name != strings.ToLower(name) {
			return fmt.Errorf("trailer line %q", line)
		}
		v.fields.Add(name, textproto.TrimString(value))
	}
	return nil
}

func (v *verdict) readStatus() (err error) {
	numbers := v.fields.Values("Grpc-Status")
	if len(numbers) != 1 {
		return fmt.Errorf("grpc-status is %q, want one", numbers)
	}
	if v.code, err = strconv.Atoi(numbers[0]); err != nil {
		return err
	}
	if v.message, err = url.PathUnescape(v.fields.Get("Grpc-Message")); err != nil {
		return err
	}
	packed := v.fields.Get("Grpc-Status-Details-Bin")
	if packed == "" {
		return nil
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(packed, "="))
	if err != nil {
		return err
	}
	var full status.Status
	if err := proto.Unmarshal(data, &full); err != nil {
		return err
	}
	if int(full.GetCode()) != v.code || full.GetMessage() != v.message {
		return fmt.Errorf("grpc-status-details-bin says %d %q, the status %d %q", full.GetCode(), full.GetMessage(), v.code, v.message)
	}
	for _, detail := range full.GetDetails() {
		if err := v.readDetail(strings.TrimPrefix(detail.GetTypeUrl(), "type.googleapis.com/"), detail.GetValue()); err != nil {
			return err
		}
	}
	return nil
}
