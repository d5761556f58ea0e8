package main

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is an HTTP/2 connection of an attack, frame by frame (RFC 9113): it keeps to the protocol, and does nothing that
// is only polite.
type frames struct {
	conn    net.Conn
	framer  *http2.Framer
	mu      sync.Mutex // of everything that is written
	block   bytes.Buffer
	encoder *hpack.Encoder
	next    uint32

	streams sync.Mutex
	open    map[uint32]bool
	most    int           // streams that the server allows
	freed   chan struct{} // has an element when a stream has ended
	ended   chan struct{} // closed with the connection
}

// openFrames exchanges settings on a connection. window is what each stream may be sent, at first.
func openFrames(conn net.Conn, window uint32) (*frames, error) {
	f := &frames{conn: conn, framer: http2.NewFramer(conn, conn), next: 1, open: make(map[uint32]bool), most: 1,
		freed: make(chan struct{}, 1), ended: make(chan struct{})}
	f.framer.SetMaxReadFrameSize(1 << 20)
	f.encoder = hpack.NewEncoder(&f.block)
	_ = conn.SetWriteDeadline(time.Now().Add(dialLimit))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	if err := f.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}); err != nil {
		return nil, err
	}
	settled := make(chan struct{})
	go f.listen(settled)
	timer := time.NewTimer(dialLimit)
	defer timer.Stop()
	select {
	case <-settled:
	case <-f.ended:
		return nil, net.ErrClosed
	case <-timer.C:
		_ = conn.Close()
		return nil, context.DeadlineExceeded
	}
	return f, nil
}

// listen answers what has to be answered, until the connection ends.
func (f *frames) listen(settled chan struct{}) {
	defer close(f.ended)
	defer func() { _ = f.conn.Close() }()
	for {
		in, err := f.framer.ReadFrame()
		if err != nil {
			return
		}
		switch in := in.(type) {
		case *http2.SettingsFrame:
			if in.IsAck() {
				continue
			}
			if most, ok := in.Value(http2.SettingMaxConcurrentStreams); ok {
				f.most = int(most)
			}
			f.write(func() error { return f.framer.WriteSettingsAck() })
			if settled != nil {
				close(settled)
				settled = nil
			}
		case *http2.PingFrame:
			if !in.IsAck() {
				data := in.Data
				f.write(func() error { return f.framer.WritePing(true, data) })
			}
		case *http2.GoAwayFrame:
			return
		case *http2.RSTStreamFrame:
			f.free(in.StreamID)
		case *http2.HeadersFrame:
			if in.StreamEnded() {
				f.free(in.StreamID)
			}
		case *http2.DataFrame:
			if in.StreamEnded() {
				f.free(in.StreamID)
			}
		}
	}
}

func (f *frames) free(stream uint32) {
	f.streams.Lock()
	delete(f.open, stream)
	f.streams.Unlock()
	select {
	case f.freed <- struct{}{}:
	default:
	}
}

// write runs something that writes. A connection that takes nothing for a while is over.
func (f *frames) write(frame func() error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.conn.SetWriteDeadline(time.Now().Add(dialLimit))
	if err := frame(); err != nil {
		_ = f.conn.Close()
		return false
	}
	return true
}

// room waits until one more stream may be open. It reports false when the connection has ended.
func (f *frames) room(ctx context.Context) bool {
	for {
		f.streams.Lock()
		free := len(f.open) < f.most
		f.streams.Unlock()
		if free {
			return true
		}
		select {
		case <-f.freed:
		case <-f.ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// request opens a stream. The field "trailer" is the one that the other end remembers: there is room for one only. Fields come as name, value, name, value; end: without a body.
func (f *frames) request(end bool, fields ...string) (stream uint32, ok bool) {
	const most = 16 << 10 // of a frame
	ok = f.write(func() error {
		f.block.Reset()
		for i := 0; i+1 < len(fields); i += 2 {
			if err := f.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: fields[i] != "trailer"}); err != nil {
				return err
			}
		}
		stream, f.next = f.next, f.next+2
		f.streams.Lock()
		f.open[stream] = true
		f.streams.Unlock()
		block := f.block.Bytes()
		first := block[:min(most, len(block))]
		block = block[len(first):]
		err := f.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0})
		for err == nil && len(block) > 0 {
			part := block[:min(most, len(block))]
			block = block[len(part):]
			err = f.framer.WriteContinuation(stream, len(block) == 0, part)
		}
		return err
	})
	return stream, ok
}
