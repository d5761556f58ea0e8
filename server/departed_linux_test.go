package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"time"

	"example.org/avatard/server/picture"
)

// departureServer serves on a real socket. All memory for alice's uploads is taken, and the test decides when waiting uploads look whether their
// client is still there.
type departureServer struct {
	*wireServer
	full  lease
	looks chan time.Time
}

func startDepartures(t *testing.T, secure bool) *departureServer {
	t.Helper()
	d := &departureServer{wireServer: startWire(t, secure, nil), looks: make(chan time.Time)}
	rooms := d.server.arriving
	rooms.checks, rooms.timeout = d.looks, time.Hour
	d.fill(t)
	return d
}

// fill takes all memory for alice's uploads.
func (d *departureServer) fill(t *testing.T) {
	t.Helper()
	rooms := d.server.arriving
	if err := rooms.acquire(t.Context(), &d.full, semaphoreKey{caller: alice}, rooms.each, nil); err != nil {
		t.Fatal(err)
	}
}

// upload sends the beginning of an upload and returns when it waits for memory. tcp is below TLS.
func (d *departureServer) upload(t *testing.T, version string, announced int, body []byte) (conn net.Conn, tcp *net.TCPConn) {
	t.Helper()
	conn, tcp = d.dial(t)
	length := "Content-Length: " + strconv.Itoa(announced)
	if announced < 0 {
		length = "Transfer-Encoding: chunked"
	}
	_, err := fmt.Fprintf(conn, "POST /assets/v1/users/me/avatar %s\r\nHost: x\r\nAuthorization: Bearer alice-token-1\r\n"+
		"Content-Type: multipart/form-data; boundary=x\r\n%s\r\n\r\n%s", version, length, body)
	if err != nil {
		t.Fatal(err)
	}
	for d.server.arriving.stats().Waiting == 0 {
		runtime.Gosched()
	}
	return conn, tcp
}

// look makes the waiting upload look once, and reports false when none waits any more.
func (d *departureServer) look() bool {
	for d.server.arriving.stats().Waiting > 0 {
		select {
		case d.looks <- time.Time{}:
			return true
		default:
			runtime.Gosched()
		}
	}
	return false
}

// wholeForm is an upload of a picture, with its boundary x.
func wholeForm() []byte {
	return []byte(formHead + string(picture.Sample(1, 1000)) + "\r\n--x--\r\n")
}

// A client that leaves while its upload waits for memory is noticed, whichever way it leaves and however much it has sent, and its call
// and its connection end.
func TestWhoLeavesWhileWaitingIsNoticed(t *testing.T) {
	half := append([]byte(formHead), make([]byte, 100<<10)...)
	whole := wholeForm()
	rows := []struct {
		name      string
		announced int
		body      []byte
		reset     bool
	}{
		{"reset, half a body", 400 << 10, half, true},
		{"reset, whole body", len(whole), whole, true},
		{"closed, half a body", 400 << 10, half, false},
		{"closed, no body yet", 400 << 10, nil, false},
		{"closed, whole body", len(whole), whole, false},
		{"closed, chunks", -1, []byte("400\r\n" + string(half[:1024])), false},
	}
	for _, secure := range []bool{false, true} {
		d := startDepartures(t, secure)
		for _, row := range rows {
			t.Run(fmt.Sprintf("%s, TLS %v", row.name, secure), func(t *testing.T) {
				conn, tcp := d.upload(t, "HTTP/1.1", row.announced, row.body)
				if !d.look() {
					t.Fatal("the call of a client that is there has ended")
				}
				if row.reset {
					if err := tcp.SetLinger(0); err != nil {
						t.Fatal(err)
					}
					tcp.Close() // under TLS, with no farewell
				} else {
					conn.Close()
				}
				for d.look() || d.server.connections.Open() > 0 { // until it is noticed
					runtime.Gosched()
				}
				if st := d.server.arriving.stats(); st.Used != d.full.size || st.Refused != 0 {
					t.Errorf("stats %+v, want the room that was taken before and nobody refused", st)
				}
			})
		}
	}
}

// A client that has sent everything, and waits for the answer with its own direction closed, is not taken for one that has gone. It gets an
// interim answer, which every client of HTTP/1.1 skips, and an answer once there is memory. HTTP/1.0 has no interim answers.
func TestWhoListensAfterTheEndIsAnswered(t *testing.T) {
	whole := wholeForm()
	for _, secure := range []bool{false, true} {
		d := startDepartures(t, secure)
		for version, interim := range map[string]bool{"HTTP/1.1": true, "HTTP/1.0": false} {
			t.Run(fmt.Sprintf("%s, TLS %v", version, secure), func(t *testing.T) {
				conn, tcp := d.upload(t, version, len(whole), whole)
				if err := tcp.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				for range 20 {
					if !d.look() {
						t.Fatal("the call of a client that listens has ended")
					}
				}
				d.full.release()
				answers := bufio.NewReader(conn)
				if interim {
					if got := answerStatus(t, answers); got != http.StatusContinue {
						t.Fatalf("the first answer is %d, want an interim one", got)
					}
				}
				if got := answerStatus(t, answers); got != http.StatusOK {
					t.Errorf("the answer is %d, want 200", got)
				}
				d.fill(t)
			})
		}
	}
}

func answerStatus(t *testing.T, answers *bufio.Reader) int {
	t.Helper()
	res, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}
