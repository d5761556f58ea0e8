package e2e

import (
	"image"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// serve answers with the configured picture where there is none, and does not start with one that no upload may be.
func TestServeWithADefaultImage(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nobody.png")
	if err := os.WriteFile(file, picture.Sample(1, 20_000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := startServe(t, providerless(t), dir, "--pictures-default-image", file)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/assets/v1/nowhere/users/nobody/avatar?default=image&size=32", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, _, err := image.DecodeConfig(res.Body)
	if res.StatusCode != http.StatusOK || err != nil || max(got.Width, got.Height) != 32 {
		t.Errorf("%d, %d × %d, %v; want 32 pixels", res.StatusCode, got.Width, got.Height, err)
	}
	for content, says := range map[string]string{"<svg/>": "PNG, JPEG, GIF and WebP", strings.Repeat("x", picture.DefaultUploadBytes+1): "over 524288 bytes"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFailure(t, says, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--pictures-default-image", file,
			"--issuer", "https://id.example", "--audience", "a", "--client-id", "c", "--client-secret", "s")
	}
}
