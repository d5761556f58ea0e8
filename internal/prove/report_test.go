package prove

import (
	"encoding/json"
	"strings"
	"testing"
)

// The verdict says first what was found, and whatever it is, what a proof does not see.
func TestVerdict(t *testing.T) {
	gone := newReport()
	gone.Gone = true
	many := newReport()
	for i := range shownPieces + 3 {
		many.Pieces = append(many.Pieces, Piece{When: "at the end", Picture: i, File: "data/pictures.slab", Offset: 4096, Length: 50, Uploaded: i == 1})
	}
	many.Directory = "/tmp/left"
	wrong := newReport()
	wrong.Problems = []string{"picture 3 is back"}
	for name, tt := range map[string]struct {
		report *Report
		begins string
		holds  string
		err    string
	}{
		"gone": {gone, "Result: what was deleted is gone from every file.\n\nThis does not see:\n", "wear levelling", ""},
		"found": {many, "FOUND at the end: 50 bytes of the deleted picture 0 are in data/pictures.slab at 4096.\n" +
			"FOUND at the end: 50 bytes of the upload of picture 1 are in", "FOUND 3 more.\n\nThis does not see:\n",
			"13 pieces are in the server's files that must not be there"},
		"left":  {many, "FOUND", "The server's files are in /tmp/left, ", "13 pieces"},
		"wrong": {wrong, "WRONG picture 3 is back.\n\nThis does not see:\n", "Memory and swap", "not what they are said to be"},
	} {
		t.Run(name, func(t *testing.T) {
			text := tt.report.Verdict()
			if !strings.HasPrefix(text, tt.begins) || !strings.Contains(text, tt.holds) {
				t.Errorf("the verdict is\n%s\nwant it to begin with\n%s\nand to hold\n%s", text, tt.begins, tt.holds)
			}
			if strings.Contains(text, "Result:") != tt.report.Gone {
				t.Errorf("a report with gone = %t says\n%s", tt.report.Gone, text)
			}
			switch err := tt.report.Err(); {
			case err == nil && tt.err != "", err != nil && (tt.err == "" || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("Err() = %v, want %q", err, tt.err)
			}
		})
	}
}

// Programs find lists where there are none, and every step under its name.
func TestReportAsJSON(t *testing.T) {
	r := newReport()
	r.NotSeen = nil
	r.Gone, r.Pictures, r.PictureBytes = true, 96, 1000
	r.Control = &Control{Pictures: 96, Of: 96, Bytes: 999, OfBytes: 1000, Files: []string{"data/pictures.slab"}}
	r.Deletes = &Deletes{Answered: 24, Others: 72, OthersFound: 72}
	r.Kills = append(r.Kills, Kill{Number: 1, Deletes: 20, Answered: 9, Unanswered: 4, Done: 3, Undone: 1})
	r.End = &End{Deleted: 84, Kept: 12, Files: 5, Bytes: 4000}
	want := `{"gone":true,"pictures":96,"pictureBytes":1000,` +
		`"control":{"pictures":96,"of":96,"bytes":999,"ofBytes":1000,"files":["data/pictures.slab"]},` +
		`"deletes":{"answered":24,"others":72,"othersFound":72},` +
		`"kills":[{"number":1,"deletes":20,"answered":9,"unanswered":4,"done":3,"undone":1}],` +
		`"end":{"deleted":84,"kept":12,"files":5,"bytes":4000},"pieces":[],"problems":[],"notSeen":null}`
	if got, err := json.Marshal(r); err != nil || string(got) != want {
		t.Errorf("the report is\n%s, %v\nwant\n%s", got, err, want)
	}
}

func TestSteps(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{(&Control{Pictures: 95, Of: 96, Bytes: 999, OfBytes: 1001, Files: []string{"data/a", "data/b"}}).String(),
			"Control: before any delete the search finds 95 of 96 pictures in the server's files, 1 KB of 2 KB, in data/a, data/b."},
		{(&Deletes{Answered: 24, Others: 72, OthersFound: 71}).String(),
			"Deletes: 24 were answered with 200, and the server runs on. The search finds nothing of these pictures, and 71 of the 72 others."},
		{Kill{Number: 2, Deletes: 20, Answered: 9, Unanswered: 4, Done: 3, Undone: 1}.String(),
			"Kill 2: SIGKILL, with 9 of 20 deletes answered and 4 under way. The search finds nothing of the answered ones.\n" +
				"  Started again: of those under way 3 took effect, and the search finds nothing of them; 1 did not, and these pictures are whole.\n" +
				"  All 20 deletes sent again: each is answered with 200, and the search finds nothing."},
		{(&End{Deleted: 84, Kept: 12, Files: 5, Bytes: 4000}).String(),
			"End: no server runs. In all 5 files, 4 KB, the search finds nothing of the 84 deleted pictures. The 12 others are found, and were read, each byte as before."},
	} {
		if tt.got != tt.want {
			t.Errorf("a step is told as\n%s\nwant\n%s", tt.got, tt.want)
		}
	}
}
