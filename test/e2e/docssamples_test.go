//go:build unix && pages

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
	"example.org/avatard/server/reference"
)

// sampleOrder is that in which the calls of samples succeed.
var sampleOrder = []string{"UploadHumanAvatar", "UploadMyAvatar", "ReadMyAvatar", "ReadAvatar", "RemoveHumanAvatar", "RemoveMyAvatar",
	"GetUser", "ListUsers", "ListReceipts", "GetReceipt", "GetReceiptLog", "EraseUser", "EraseOrganization", "Healthz", "Readyz"}

// receiptID finds one in an answer.
var receiptID = regexp.MustCompile(`"receiptId": ?"([0-9a-f]+)"`)

// checkSamples carries out the request lines as a reader would who copies them, those in curl and grpcurl, and lets the tools of the other
// languages read theirs. There is no tool for C# and PHP here.
func checkSamples(t *testing.T, samples map[string]map[string]string) {
	t.Helper()
	if len(samples) != len(sampleOrder) {
		t.Errorf("%d operations have samples, want %d", len(samples), len(sampleOrder))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "picture.png"), picture.Sample(3, 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	ran, receipt := map[string]int{}, reference.ExampleReceipt // until a list has one that there is
	for _, id := range sampleOrder {
		for language, sample := range samples[id] {
			output, err := runSample(t, dir, id, language, strings.ReplaceAll(sample, reference.ExampleReceipt, receipt))
			if err != nil {
				t.Errorf("%s in %s: %v\n%s\n%s", id, language, err, sample, output)
			}
			if found := receiptID.FindStringSubmatch(output); id == "ListReceipts" && found != nil {
				receipt = found[1]
			}
			ran[language]++
		}
	}
	for language, want := range map[string]int{"curl": 15, "grpcurl": 9, "Go": 15, "JavaScript": 15, "Python": 15} {
		if ran[language] != want {
			t.Errorf("%d samples in %s, want %d", ran[language], language, want)
		}
	}
}

func runSample(t *testing.T, dir, id, language, sample string) (output string, err error) {
	t.Helper()
	file := func(name, text string) string {
		path := filepath.Join(dir, id, name)
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		return path
	}
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(Program(t, "grpcurl"))+":"+os.Getenv("PATH"))
		var said, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &complaints
		if err := cmd.Run(); err != nil {
			return said.String() + complaints.String(), err
		}
		return said.String(), nil
	}
	switch language {
	case "curl", "grpcurl":
		output, err = run("bash", "-euc", sample)
		if id == "EraseOrganization" && strings.Contains(output, "AUTH-5mWD2") { // those who manage users may not
			return output, nil
		}
		if err == nil && !sampleAnswered(dir, id, output) {
			err = fmt.Errorf("the answer is %.200q", output)
		}
	case "Go":
		head := "package sample\n\nimport (\n\t\"bytes\"\n\t\"context\"\n\t\"io\"\n\t\"mime/multipart\"\n\t\"net/http\"\n)\n\nvar (\n\t_ bytes.Buffer\n\t_ multipart.File\n)\n\n"
		path := file("sample.go", head+"func call(ctx context.Context, picture io.Reader) error {\n"+sample+"\n_ = res\nreturn err\n}\n")
		if err == nil {
			output, err = run("go", "vet", path)
		}
	case "JavaScript":
		if path := file("sample.mjs", sample); err == nil {
			output, err = run(Program(t, "node"), "--check", path)
		}
	case "Python":
		if path := file("sample.py", sample); err == nil {
			output, err = run(Program(t, "python3"), "-m", "py_compile", path)
		}
	}
	return output, err
}

// sampleAnswered reports whether an operation answered with what it is for.
func sampleAnswered(dir, id, output string) bool {
	switch {
	case strings.HasPrefix(id, "Read") && id != "Readyz":
		data, err := os.ReadFile(filepath.Join(dir, "picture"))
		_ = os.Remove(filepath.Join(dir, "picture"))
		return err == nil && bytes.HasPrefix(data, []byte("\x89PNG"))
	case id == "Healthz" || id == "Readyz":
		return strings.HasPrefix(output, "ok")
	}
	for of, part := range map[string]string{"GetUser": `"user":`, "ListUsers": `"users":`, "ListReceipts": `"receipts":`, "GetReceipt": `"receipt":`, "GetReceiptLog": `"head":`} {
		if id == of {
			return strings.Contains(output, part)
		}
	}
	return strings.Contains(output, `"details":`)
}
