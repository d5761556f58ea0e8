package server

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	authv1 "example.org/avatard/gen/zitadel/auth/v1"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
)

// reflectionForms are the forms in which reflection is served, each in both versions of the service.
func reflectionForms(t *testing.T, check func(t *testing.T, path, contentType string)) {
	for _, version := range []string{"v1", "v1alpha"} {
		for _, contentType := range []string{"application/grpc", "application/grpc-web", "application/connect+proto"} {
			t.Run(version+" "+contentType, func(t *testing.T) {
				check(t, "/grpc.reflection."+version+".ServerReflection/ServerReflectionInfo", contentType)
			})
		}
	}
}

// reflected holds the answers of a stream of reflection.
type reflected struct {
	answers [][]byte
	bytes   int    // of the whole body
	code    string // as gRPC ("8") or Connect ("resource_exhausted") writes it; "0" or "" when all went well
}

// reflectStream sends requests in one stream and reads the answer to its end.
func reflectStream(t *testing.T, f *fixture, path, contentType string, requests []string) reflected {
	t.Helper()
	var body strings.Builder
	for _, request := range requests {
		body.WriteString(envelope(0, len(request), request))
	}
	res, text := f.doOver(t, f.http2, http.MethodPost, path, strings.NewReader(body.String()), "Content-Type", contentType)
	raw := []byte(text)
	got := reflected{bytes: len(raw)}
	for len(raw) >= 5 && strings.HasPrefix(res.Header.Get("Content-Type"), contentType) {
		flags, size := raw[0], int(binary.BigEndian.Uint32(raw[1:]))
		message := raw[5 : 5+size]
		raw = raw[5+size:]
		switch flags {
		case 0:
			got.answers = append(got.answers, message)
		case 2: // the end of a stream of Connect
			var end struct{ Error struct{ Code string } }
			if err := json.Unmarshal(message, &end); err != nil {
				t.Errorf("the end of the stream is %q: %v", message, err)
			}
			got.code = end.Error.Code
		case 0x80: // the trailers of gRPC-Web
			for line := range strings.Lines(string(message)) {
				if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "grpc-status") {
					got.code = strings.TrimSpace(value)
				}
			}
		default:
			t.Fatalf("an envelope with the flags %#x", flags)
		}
	}
	if code := res.Trailer.Get("Grpc-Status"); code != "" {
		got.code = code
	}
	if code := res.Header.Get("Grpc-Status"); code != "" { // refused before anything was read
		got.code = code
	}
	return got
}

// exhausted reports whether the code is that of a limit.
func (r reflected) exhausted() bool { return r.code == "8" || r.code == "resource_exhausted" }

// files returns the descriptors of files in one answer.
func files(t *testing.T, answer []byte) (names []string) {
	t.Helper()
	for field, value := range lengthFields(t, answer) {
		if field != 4 { // file_descriptor_response
			continue
		}
		for _, file := range lengthFields(t, []byte(value)) {
			for field, value := range lengthFields(t, []byte(file)) {
				if field == 1 { // name
					names = append(names, value)
				}
			}
		}
	}
	return names
}

// lengthFields iterates over the fields of a message that have a length.
func lengthFields(t *testing.T, message []byte) func(func(protowire.Number, string) bool) {
	return func(yield func(protowire.Number, string) bool) {
		for len(message) > 0 {
			number, _, n := protowire.ConsumeField(message)
			if n < 0 {
				t.Fatalf("a message that cannot be read: %v", protowire.ParseError(n))
			}
			_, _, tag := protowire.ConsumeTag(message)
			if value, m := protowire.ConsumeBytes(message[tag:]); m >= 0 && tag+m == n && !yield(number, string(value)) {
				return
			}
			message = message[n:]
		}
	}
}

// Requests of reflection (grpc/reflection/v1/reflection.proto): host = 1, file_by_filename = 3,
// file_containing_symbol = 4, list_services = 7.
func bySymbol(name string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, 4, protowire.BytesType), name))
}

func byFile(name string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), name))
}

// byExtension asks for the file of an extension: file_containing_extension = 5 of containing_type = 1, extension_number = 2.
func byExtension(of string, number uint64) string {
	extension := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), of)
	extension = protowire.AppendVarint(protowire.AppendTag(extension, 2, protowire.VarintType), number)
	return string(protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), extension))
}

func withHost(request, host string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), host)) + request
}

// One request takes twenty bytes, and its answer would take fifty-five thousand; so a stream sends each file once, and ends at a bound.
func TestReflectionIsBounded(t *testing.T) {
	f := start(t, nil)
	reflectionForms(t, func(t *testing.T, path, contentType string) {
		same := make([]string, 2300)
		for i := range same {
			same[i] = bySymbol("buf.validate.field")
		}
		got := reflectStream(t, f, path, contentType, same)
		if !got.exhausted() || len(got.answers) != maxReflectionRequests || got.bytes > 128<<10 {
			t.Errorf("the same request 2,300 times: code %q, %d answers, %d bytes", got.code, len(got.answers), got.bytes)
		}
		long := make([]string, maxReflectionRequests) // each answer repeats its request
		for i := range long {
			long[i] = withHost(bySymbol("buf.validate.field"), strings.Repeat("x", 3<<10))
		}
		got = reflectStream(t, f, path, contentType, long)
		if !got.exhausted() || got.bytes > maxReflectionBytes+1<<10 {
			t.Errorf("requests with a long host: code %q, %d answers, %d bytes", got.code, len(got.answers), got.bytes)
		}
	})
	if !strings.Contains(f.log.String(), "code=resource_exhausted") {
		t.Error("the log does not say that a stream met a limit")
	}
}

// Everything that the program could be asked for fits into one stream, each file once.
func TestReflectionSendsEachFileOnce(t *testing.T) {
	f := start(t, nil)
	reflectionForms(t, func(t *testing.T, path, contentType string) {
		got := reflectStream(t, f, path, contentType, []string{
			bySymbol("zitadel.management.v1.ManagementService"), bySymbol("zitadel.management.v1.RemoveHumanAvatarRequest"),
			bySymbol("buf.validate.field"), bySymbol("zitadel.auth.v1.AuthService"), bySymbol("grpc.health.v1.Health"),
			byFile("buf/validate/validate.proto"), byExtension("google.protobuf.FieldOptions", 1159), byFile("grpc/health/v1/health.proto"),
		})
		if len(got.answers) != 8 || got.code != "0" && got.code != "" {
			t.Fatalf("%d answers, code %q", len(got.answers), got.code)
		}
		seen := make(map[string]bool)
		for i, answer := range got.answers {
			names := files(t, answer)
			if again := i != 0 && i != 3 && i != 4; again != (len(names) == 0) {
				t.Errorf("answer %d has the files %q", i, names)
			}
			for _, name := range names {
				if seen[name] {
					t.Errorf("%s comes twice", name)
				}
				seen[name] = true
			}
		}
		for _, name := range []string{"zitadel/management/v1/management.proto", "buf/validate/validate.proto", "grpc/health/v1/health.proto"} {
			if !seen[name] {
				t.Errorf("%s does not come", name)
			}
		}
	})
}

// Streams count for their address, whether or not other calls do. Then the address gets in again.
func TestReflectionRate(t *testing.T) {
	reflectionForms(t, func(t *testing.T, path, contentType string) {
		stands := standing()
		address := "192.0.2.1"
		f := start(t, func(c *Config) {
			c.Now = stands.Now
			c.ClientAddress = func(*http.Request) string { return address }
		})
		ask := func() reflected {
			return reflectStream(t, f, path, contentType, []string{bySymbol("zitadel.auth.v1.AuthService")})
		}
		for i := range reflectionRate.Burst {
			if got := ask(); len(got.answers) != 1 {
				t.Fatalf("stream %d: code %q", i, got.code)
			}
		}
		if got := ask(); got.bytes > 1<<10 || len(got.answers) > 0 {
			t.Errorf("over the rate: %d answers, %d bytes", len(got.answers), got.bytes)
		}
		address = "192.0.2.2"
		if got := ask(); len(got.answers) != 1 {
			t.Errorf("from another address: code %q", got.code)
		}
		address = "192.0.2.1"
		stands.Advance(time.Duration(1e9 / reflectionRate.PerSecond))
		if got := ask(); len(got.answers) != 1 {
			t.Errorf("after a while: code %q", got.code)
		}
	})
}

// A stream on which nothing comes ends long before the longest call.
func TestIdleReflectionEnds(t *testing.T) {
	stands := standing() // of the rate; the tests below are each at another time
	s, err := New(Config{Store: instantStore{}, Issuer: issuer, Authenticator: tokens(people()), Permissions: owner{}, Now: stands.Now})
	if err != nil {
		t.Fatal(err)
	}
	reflectionForms(t, func(t *testing.T, path, contentType string) {
		for requests := range 3 {
			synctest.Test(t, func(t *testing.T) {
				c := serveFrames(t, s.Handler().ServeHTTP, false).open(t)
				c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: c.headersFor(path,
					"content-type", contentType, "te", "trailers")}))
				request := bySymbol("zitadel.auth.v1.AuthService")
				for range requests {
					c.must(c.WriteData(1, false, []byte(envelope(0, len(request), request))))
					time.Sleep(reflectionIdle / 2)
				}
				if got := c.take(); streamEnded(got, 1) {
					t.Fatalf("after %d requests the stream has ended: %+v", requests, got)
				}
				time.Sleep(reflectionIdle + 1)
				if !streamEnded(c.take(), 1) {
					t.Errorf("after %d requests and %v of silence the stream is open", requests, reflectionIdle)
				}
			})
		}
	})
}

// streamEnded reports whether the server has ended a stream.
func streamEnded(got []frame, stream uint32) bool {
	for _, f := range got {
		if f.StreamID == stream && (f.Type == http2.FrameRSTStream || f.Flags.Has(http2.FlagHeadersEndStream) && f.Type == http2.FrameHeaders ||
			f.Flags.Has(http2.FlagDataEndStream) && f.Type == http2.FrameData) {
			return true
		}
	}
	return false
}

// Reflection can be left out: then it is answered like any unknown procedure.
func TestWithoutReflection(t *testing.T) {
	f := start(t, func(c *Config) { c.WithoutReflection = true })
	reflectionForms(t, func(t *testing.T, path, contentType string) {
		got := reflectStream(t, f, path, contentType, []string{bySymbol("zitadel.auth.v1.AuthService")})
		if len(got.answers) > 0 {
			t.Errorf("%d answers", len(got.answers))
		}
	})
	if res, body := f.do(t, http.MethodPost, "/grpc.health.v1.Health/Check", strings.NewReader("{}"), "Content-Type", "application/json"); res.StatusCode != http.StatusOK {
		t.Errorf("health: %d %s", res.StatusCode, body)
	}
}

// A second request for the same file is cheap. The first one describes the file, with thousands of allocations for the largest.
func TestReflectionDescribesNoFileTwice(t *testing.T) {
	f := start(t, func(c *Config) { c.Now = standing().Now })
	ask := func(requests int) float64 {
		asked := make([]string, requests)
		for i := range asked {
			asked[i] = []string{bySymbol("buf.validate.field"), bySymbol("buf.validate.FieldRules"),
				byFile("buf/validate/validate.proto"), byExtension("google.protobuf.FieldOptions", 1159)}[i%4]
		}
		return testing.AllocsPerRun(3, func() {
			if got := reflectStream(t, f, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "application/grpc", asked); len(got.answers) != requests {
				t.Errorf("%d answers to %d requests, code %q", len(got.answers), requests, got.code)
			}
		})
	}
	if once, often := ask(1), ask(maxReflectionRequests); often > 2*once {
		t.Errorf("%v allocations for %d requests, %v for one", often, maxReflectionRequests, once)
	}
}

// A client that has the files of a service can read the details of its errors.
func TestServicesBringErrorDetail(t *testing.T) {
	var has func(file protoreflect.FileDescriptor) bool
	has = func(file protoreflect.FileDescriptor) bool {
		if file.FullName() == "zitadel.v1" && file.Messages().ByName("ErrorDetail") != nil {
			return true
		}
		for i := range file.Imports().Len() {
			if has(file.Imports().Get(i).FileDescriptor) {
				return true
			}
		}
		return false
	}
	for _, file := range []protoreflect.FileDescriptor{managementv1.File_zitadel_management_v1_management_proto, authv1.File_zitadel_auth_v1_auth_proto} {
		if !has(file) {
			t.Errorf("%s does not import zitadel.v1.ErrorDetail", file.Path())
		}
	}
	f := start(t, nil)
	reflectionForms(t, func(t *testing.T, path, contentType string) {
		got := reflectStream(t, f, path, contentType, []string{bySymbol("zitadel.v1.ErrorDetail")})
		if len(got.answers) != 1 || !strings.Contains(string(got.answers[0]), "ErrorDetail") {
			t.Errorf("%d answers, code %q", len(got.answers), got.code)
		}
	})
}
