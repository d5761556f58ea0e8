package reference

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"regexp"

	"example.org/avatard/api"
)

// annotations are what our .proto files say in words of others: routes and rules of fields. Without them the files import nothing
// that a generator has to be given.
var annotations = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^import "(buf|google/api)/.*\n`),
	regexp.MustCompile(`(?m)^ *option \(google\.api\.http\) = \{.*\};\n`),
	regexp.MustCompile(`(?s) \[\(buf\.validate\.field\)\.\w+ = \{.*?\n *\}\]`),
	regexp.MustCompile(` \[\(buf\.validate\.field\)\.[\w.]+ = \w+\]`),
}

// Protos returns an archive (zip) of the .proto files without annotations, for generators of clients.
func Protos() ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	err := fs.WalkDir(api.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := api.Files.ReadFile(path)
		if err != nil {
			return err
		}
		for _, annotation := range annotations {
			text = annotation.ReplaceAll(text, nil)
		}
		file, err := w.Create(path)
		if err != nil {
			return err
		}
		_, err = file.Write(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
