package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// exchangeFrames sends a request without a body as frames of HTTP/2, once: net/http's client does not send what the
// server says it would refuse, and repeats what was refused. It returns the status of the answer, or 0 and how the
// server ended the stream or the connection.
func (w *wire) exchangeFrames(ctx context.Context, req wireRequest) (status int, ended string, err error) {
	ctx, cancel := context.WithTimeout(ctx, wirePatience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.address)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, "", err
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	written := make(chan struct{})
	go func() { // the server may stop reading before the last frame
		defer close(written)
		_, _ = io.WriteString(conn, http2.ClientPreface)
		_ = framer.WriteSettings()
		_ = writeHeaders(framer, headerBlock(w.address, req))
	}()
	defer func() {
		_ = conn.Close()
		<-written
	}()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return 0, "", err
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status, err := strconv.Atoi(frame.PseudoValue("status"))
			return status, "", err
		case *http2.RSTStreamFrame:
			return 0, "RST_STREAM " + frame.ErrCode.String(), nil
		case *http2.GoAwayFrame:
			return 0, "GOAWAY " + frame.ErrCode.String(), nil
		}
	}
}

func headerBlock(authority string, req wireRequest) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	write := func(name, value string) {
		_ = encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(name), Value: value}) // a Buffer takes everything
	}
	write(":method", req.method)
	write(":scheme", "http")
	write(":authority", authority)
	write(":path", req.path)
	for _, f := range req.fields {
		write(f.name, f.value)
	}
	return block.Bytes()
}

// writeHeaders opens the first stream with a header block, in frames of the size that every peer takes.
func writeHeaders(framer *http2.Framer, block []byte) error {
	const frameSize = 16 << 10
	first := block[:min(len(block), frameSize)]
	block = block[len(first):]
	err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: true, EndHeaders: len(block) == 0})
	for err == nil && len(block) > 0 {
		next := block[:min(len(block), frameSize)]
		block = block[len(next):]
		err = framer.WriteContinuation(1, len(block) == 0, next)
	}
	if err != nil {
		return fmt.Errorf("header block: %w", err)
	}
	return nil
}
