package cli

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"
)

// Machines that read the log are told the unit of a duration.
func TestDurationsInJSONHaveAUnit(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out, "json", slog.LevelInfo).Info("call", "took", 1500*time.Microsecond, "n", 7)
	var line struct {
		Took string
		N    int
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Took != "1.5ms" || line.N != 7 {
		t.Errorf("%s: %+v, %v", out.Bytes(), line, err)
	}
}
