package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// shownTime is how a time stands in a list: always as wide, so that columns and sorting work.
const shownTime = "2006-01-02T15:04:05.000000Z"

func showTime(at time.Time) string { return at.UTC().Format(shownTime) }

// word is a text of somebody else as it stands in a line for people. One that is not a plain word is quoted, and what is not printable is
// escaped, so that it neither controls a terminal nor passes for another part of the line.
func word(text string) string {
	plain := text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r == '"' || unicode.IsSpace(r) || !strconv.IsPrint(r)
	})
	if plain {
		return text
	}
	return strconv.Quote(text)
}

// printable escapes what a text has that is not printable, and leaves the rest as it is.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// writeJSON writes a line of JSON. It escapes what is not printable, which JSON need not: a terminal could take it for a command.
func writeJSON(w io.Writer, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, r := range string(line) {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		units := utf16.Encode([]rune{r})
		for _, unit := range units {
			b.WriteString(`\u` + strings.ToLower(strconv.FormatUint(uint64(unit)|1<<16, 16)[1:]))
		}
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}
