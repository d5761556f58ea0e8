// Command start measures how long avatard needs from its start on an empty data directory until /readyz answers 200.
//
//	go run .tools/start/main.go -n 20 -max 500ms bin/avatard dev
//
// It adds --listen 127.0.0.1:PORT and --data DIR to the arguments, prints minimum, median and maximum, and exits with 1
// when the median is over -max.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

func main() {
	runs := flag.Int("n", 20, "number of starts")
	limit := flag.Duration("max", 500*time.Millisecond, "the median may take this long")
	flag.Parse()
	if flag.NArg() == 0 || *runs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(*runs, *limit, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		os.Exit(1)
	}
}

func measure(runs int, limit time.Duration, command []string) error {
	var took []time.Duration
	for range runs {
		d, err := startOnce(command)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	median := took[len(took)/2]
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond)) }
	fmt.Printf("ready on an empty data directory, %d starts: min %s, median %s, max %s\n",
		runs, ms(took[0]), ms(median), ms(took[len(took)-1]))
	if median > limit {
		return fmt.Errorf("median %s is over the limit %s", ms(median), ms(limit))
	}
	return nil
}

// startOnce starts the program on a fresh directory, waits until it is ready, and stops it again.
func startOnce(command []string) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "avatard-start")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	addr, err := freeAddress()
	if err != nil {
		return 0, err
	}

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	args := append(slices.Clone(command[1:]), "--listen", addr, "--data", dir)
	cmd := exec.CommandContext(ctx, command[0], args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output

	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return 0, fmt.Errorf("%v ended before it was ready (%v):\n%s", command, err, &output)
		case <-time.After(time.Millisecond):
		}
		if ready(ctx, addr) {
			break
		}
	}
	took := time.Since(begin)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	if err := <-ended; err != nil {
		return 0, fmt.Errorf("%v did not stop cleanly (%v):\n%s", command, err, &output)
	}
	return took, nil
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func ready(ctx context.Context, addr string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}
