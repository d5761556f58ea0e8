package cli

import "testing"

func TestAllowedOrigins(t *testing.T) {
	if allowedOrigins(nil) != nil {
		t.Error("no origins are configured, want nil: no header of CORS at all")
	}
	allowed := allowedOrigins([]string{"https://app.example", "http://localhost:5173"})
	for origin, want := range map[string]bool{
		"https://app.example": true, "http://localhost:5173": true,
		"http://app.example": false, "https://app.example:443": false, "http://localhost": false, "": false,
	} {
		if got := allowed(origin); got != want {
			t.Errorf("allowedOrigins allows %q: %v, want %v", origin, got, want)
		}
	}
}
