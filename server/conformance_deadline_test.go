package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deadlineCases are those of deadlineSuites: eight for each of Connect and gRPC-Web over HTTP/1.1, and of all three
// protocols over HTTP/2.
const deadlineCases = 40

// deadlineAsked and deadlineMissed are the time that a case of deadlineSuites gives the server, and how long the handler
// takes.
const (
	deadlineAsked  = 250 * time.Millisecond
	deadlineMissed = 500 * time.Millisecond
)

// TestConformanceDeadlines makes the suite's client ask for a deadline and wait for the answer to a call that misses it.
//
// The suite means its own cases, Timeouts, to be like that, but its client (v1.0.7) gives itself the deadline that it
// gives the server (https://github.com/connectrpc/conformance/issues/813). Those cases pass without any answer, and
// one that comes at that very moment can fail them: net/http sends the headers before the body, and the client
// complains about an empty body when it gave up in between. Here the deadline is in the request only.
func TestConformanceDeadlines(t *testing.T) {
	files, err := writeDeadlineSuites(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, file := range files {
		flags = append(flags, "--test-file", file)
	}
	if cases := runConformance(t, flags...); cases != deadlineCases {
		t.Errorf("%d cases, want %d", cases, deadlineCases)
	}
}

// suiteProtocol is how a deadline is asked for, and missing it answered, in a protocol.
type suiteProtocol struct {
	name                      string // the suite's
	media, deadline, encoding string // media type up to the codec, names of headers
	status                    int
}

// writeDeadlineSuites writes a file for each protocol, codec and compression, since a request that is written down byte
// by byte has one of each. The runner multiplies them by version of HTTP and TLS. JSON is YAML.
func writeDeadlineSuites(dir string) ([]string, error) {
	protocols := []suiteProtocol{
		{"PROTOCOL_CONNECT", "application/", "Connect-Timeout-Ms", "Content-Encoding", 504},
		{"PROTOCOL_GRPC", "application/grpc+", "Grpc-Timeout", "Grpc-Encoding", 200},
		{"PROTOCOL_GRPC_WEB", "application/grpc-web+", "Grpc-Timeout", "Grpc-Encoding", 200},
	}
	var files []string
	for _, protocol := range protocols {
		for _, codec := range []string{"proto", "json"} {
			for _, compression := range []string{"identity", "gzip"} {
				text, err := json.Marshal(protocol.deadlineSuite(codec, compression))
				if err != nil {
					return nil, err
				}
				files = append(files, filepath.Join(dir, fmt.Sprintf("%s-%s-%s.yaml", protocol.name, codec, compression)))
				if err := os.WriteFile(files[len(files)-1], text, 0o600); err != nil {
					return nil, err
				}
			}
		}
	}
	return files, nil
}

// object is one of JSON.
type object = map[string]any

// deadlineSuite is a suite of one case, in the JSON form of the suite's own messages.
func (p suiteProtocol) deadlineSuite(codec, compression string) object {
	message := object{"responseDefinition": object{"responseData": "aGVsbG8=", "responseDelayMs": deadlineMissed.Milliseconds()}}
	text, _ := json.Marshal(message) // a map of strings and numbers
	message["@type"] = "type.googleapis.com/" + conformancePackage + "UnaryRequest"

	contents := object{"binaryMessage": message}
	if codec == "json" {
		contents = object{"text": string(text)}
	}
	flags, algorithm := 0, "COMPRESSION_"+strings.ToUpper(compression)
	if compression != "identity" {
		flags, contents["compression"] = 1, algorithm
	}
	asked, body := fmt.Sprintf("%dm", deadlineAsked.Milliseconds()), "stream"
	if p.deadline == "Connect-Timeout-Ms" {
		asked, body = strings.TrimSuffix(asked, "m"), "unary"
	} else {
		contents = object{"items": []object{{"flags": flags, "payload": contents}}}
	}
	return object{
		"name":                 fmt.Sprintf("Deadlines %s %s %s", p.name, codec, compression),
		"mode":                 "TEST_MODE_SERVER",
		"relevantProtocols":    []string{p.name},
		"relevantCodecs":       []string{"CODEC_" + strings.ToUpper(codec)},
		"relevantCompressions": []string{algorithm},
		"testCases": []object{{
			"request": object{
				"testName": "unary", "streamType": "STREAM_TYPE_UNARY", "requestMessages": []object{message},
				"rawRequest": object{
					"verb": "POST", "uri": "/" + conformanceService + "/Unary", body: contents,
					"headers": []object{
						{"name": "Content-Type", "value": []string{p.media + codec}},
						{"name": p.encoding, "value": []string{compression}},
						{"name": p.deadline, "value": []string{asked}},
						{"name": "Te", "value": []string{"trailers"}},
					},
				},
			},
			"expectedResponse": object{"error": object{"code": "CODE_DEADLINE_EXCEEDED"}, "httpStatusCode": p.status},
		}},
	}
}
