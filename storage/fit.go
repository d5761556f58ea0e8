package storage

import (
	"strings"
	"unicode/utf8"
)

// Fit returns the refusal as a Store records it: each text is valid UTF-8 of at most MaxIDBytes, see FitText, and Dropped is not
// negative.
func (r Refusal) Fit() Refusal {
	for _, text := range [...]*string{&r.By.Caller, &r.By.CallerOrganization, &r.By.RequestID,
		&r.Organization, &r.Target, &r.Action, &r.Reason} {
		*text = FitText(*text)
	}
	r.Dropped = max(0, r.Dropped)
	return r
}

// FitText makes of text one that any engine can keep and any backup can hold: bytes that are not UTF-8 become U+FFFD, and the text ends
// at the last whole code point within MaxIDBytes. A text that needs no change is returned as it is.
func FitText(text string) string {
	return cut(strings.ToValidUTF8(cut(text), string(utf8.RuneError)))
}

// cut ends text at a code point within MaxIDBytes. The result does not keep the rest in memory.
func cut(text string) string {
	if len(text) <= MaxIDBytes {
		return text
	}
	end := MaxIDBytes
	for end > MaxIDBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end])
}
