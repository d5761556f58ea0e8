package prove

import (
	"fmt"
	"strings"
)

// Report is what a proof has seen.
type Report struct {
	// Gone is the verdict: nothing of a deleted picture was found, and nothing else was wrong. False also when the proof was not finished.
	Gone bool `json:"gone"`
	// Pictures is how many pictures were uploaded, PictureBytes how many bytes the server has made of them.
	Pictures     int   `json:"pictures"`
	PictureBytes int64 `json:"pictureBytes"`
	// The steps, nil for those that the proof did not come to.
	Control *Control `json:"control,omitempty"`
	Deletes *Deletes `json:"deletes,omitempty"`
	Kills   []Kill   `json:"kills"`
	End     *End     `json:"end,omitempty"`
	// Pieces are what was found and must not be there.
	Pieces []Piece `json:"pieces"`
	// Problems are what else must not be, in sentences.
	Problems []string `json:"problems"`
	// NotSeen says what no proof of this kind can see.
	NotSeen []string `json:"notSeen"`
	// Directory has the server's files, and the pictures that were looked for in its folder pictures; "" when it was removed.
	Directory string `json:"directory,omitempty"`
}

func newReport() *Report {
	return &Report{Kills: []Kill{}, Pieces: []Piece{}, Problems: []string{}, NotSeen: notSeen}
}

// notSeen is part of every report.
var notSeen = []string{
	"What is below files: blocks that a file system or a disk keeps of what was overwritten or removed (copy-on-write, journals, snapshots, the wear levelling of an SSD).",
	"Memory and swap, of the server and of this program, which has the pictures in order to look for them.",
	"Lost power: a killed process loses nothing that it has written. The proof that cuts the power is test/proof/power in the source.",
	"Runs shorter than 32 bytes, bytes that several pictures share, and copies in another form, such as compressed once more.",
	"Copies elsewhere: backups, caches of browsers and proxies, people who have seen the picture.",
	"Other engines than the one of a single directory; for PostgreSQL and a bucket there is test/proof/storm.",
	"What stays by design: that there was a picture, with user, random id, times and a receipt, none of which is made from the picture.",
}

// Control is the search before any delete.
type Control struct {
	// Pictures and Bytes are what was found, Of and OfBytes what there is to be found.
	Pictures int   `json:"pictures"`
	Of       int   `json:"of"`
	Bytes    int64 `json:"bytes"`
	OfBytes  int64 `json:"ofBytes"`
	// Files are where it was found.
	Files []string `json:"files"`
}

func (c *Control) String() string {
	return fmt.Sprintf("Control: before any delete the search finds %d of %d pictures in the server's files, %s of %s, in %s.",
		c.Pictures, c.Of, kilobytes(c.Bytes), kilobytes(c.OfBytes), strings.Join(c.Files, ", "))
}

// Deletes are those that were made while the server ran on.
type Deletes struct {
	Answered int `json:"answered"`
	// OthersFound is of how many of the Others, which nobody has deleted yet, pieces were found in the same search.
	Others      int `json:"others"`
	OthersFound int `json:"othersFound"`
}

func (d *Deletes) String() string {
	return fmt.Sprintf("Deletes: %d were answered with 200, and the server runs on. The search finds nothing of these pictures, and %d of the %d others.",
		d.Answered, d.OthersFound, d.Others)
}

// Kill is one kill in the middle of deletes.
type Kill struct {
	Number int `json:"number"` // from 1 on
	// Deletes is of how many pictures deletes were to be made; Answered how many had a 200 before the kill, Unanswered how many were under way.
	Deletes    int `json:"deletes"`
	Answered   int `json:"answered"`
	Unanswered int `json:"unanswered"`
	// Of those under way, Done had taken effect after the next start, and Undone had not.
	Done   int `json:"done"`
	Undone int `json:"undone"`
}

func (k Kill) String() string {
	return fmt.Sprintf("Kill %d: SIGKILL, with %d of %d deletes answered and %d under way. The search finds nothing of the answered ones.\n"+
		"  Started again: of those under way %d took effect, and the search finds nothing of them; %d did not, and these pictures are whole.\n"+
		"  All %d deletes sent again: each is answered with 200, and the search finds nothing.",
		k.Number, k.Answered, k.Deletes, k.Unanswered, k.Done, k.Undone, k.Deletes)
}

// End is the last search, when everything was answered and the server killed once more.
type End struct {
	Deleted int   `json:"deleted"`
	Kept    int   `json:"kept"`
	Files   int   `json:"files"`
	Bytes   int64 `json:"bytes"`
}

func (e *End) String() string {
	return fmt.Sprintf("End: no server runs. In all %d files, %s, the search finds nothing of the %d deleted pictures. The %d others are found, and were read, each byte as before.",
		e.Files, kilobytes(e.Bytes), e.Deleted, e.Kept)
}

// Piece is a run of bytes in a file that must not be there.
type Piece struct {
	When    string `json:"when"`
	Picture int    `json:"picture"`
	User    string `json:"user"`
	// Uploaded tells a piece of what was sent from one of what the server has made of it.
	Uploaded bool   `json:"uploaded,omitempty"`
	File     string `json:"file"`
	Offset   int64  `json:"offset"`
	Length   int    `json:"length"`
}

func (p Piece) String() string {
	what := "deleted picture"
	if p.Uploaded {
		what = "upload of picture"
	}
	return fmt.Sprintf("%s: %d bytes of the %s %d are in %s at %d.", p.When, p.Length, what, p.Picture, p.File, p.Offset)
}

// shownPieces is how many pieces are told one by one.
const shownPieces = 10

// Verdict says what came of it, in sentences for people: one a line, what was found first.
func (r *Report) Verdict() string {
	var b strings.Builder
	for i, p := range r.Pieces {
		if i == shownPieces {
			fmt.Fprintf(&b, "FOUND %d more.\n", len(r.Pieces)-i)
			break
		}
		fmt.Fprintf(&b, "FOUND %v\n", p)
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(&b, "WRONG %s.\n", problem)
	}
	if r.Gone {
		b.WriteString("Result: what was deleted is gone from every file.\n")
	}
	b.WriteString("\nThis does not see:\n")
	for _, text := range r.NotSeen {
		fmt.Fprintf(&b, "- %s\n", text)
	}
	if r.Directory != "" {
		fmt.Fprintf(&b, "\nThe server's files are in %s, and in its folder pictures what was looked for: search with tools of your own.\n", r.Directory)
	}
	return b.String()
}

// Err returns nil for a proof that has found nothing wrong.
func (r *Report) Err() error {
	switch {
	case len(r.Pieces) > 0:
		return fmt.Errorf("%d pieces are in the server's files that must not be there", len(r.Pieces))
	case len(r.Problems) > 0:
		return errSeen
	}
	return nil
}

func kilobytes(n int64) string { return fmt.Sprintf("%d KB", (n+999)/1000) }
