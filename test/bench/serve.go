package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"runtime/pprof"
	"time"
)

// usage is what a server has used since it began.
type usage struct {
	CPU        time.Duration
	Objects    uint64 // allocated
	Bytes      uint64 // allocated
	Syncs      int64
	SlabWrites int64
	Resident   int64 // bytes, as are the two below
	Peak       int64
	Anonymous  int64
}

// serveRole serves one target and does as it is told beside that.
func serveRole(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	var s *serving
	var profile *os.File
	defer func() {
		if s != nil && s.stop != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	return obey(in, out, func(cmd command) (r reply, err error) {
		if cmd.Do != "start" && s == nil {
			return r, errors.New("nothing is served")
		}
		switch cmd.Do {
		case "start":
			if s, err = startTarget(ctx, cmd); err == nil {
				r.Address, r.Token = s.address, s.token
			}
		case "fill":
			err = s.pool.fill(ctx, cmd.Count)
			r.First = s.pool.head
		case "took":
			s.pool.took(cmd.Count)
		case "usage":
			r.Usage, err = s.usage()
		case "profile":
			profile, err = switchProfile(profile, cmd.File)
		default:
			err = fmt.Errorf("unknown command %q", cmd.Do)
		}
		return r, err
	})
}

func (s *serving) usage() (u usage, err error) {
	u.CPU = processCPU()
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)
	u.Objects = samples[0].Value.Uint64() + samples[1].Value.Uint64()
	u.Bytes = samples[2].Value.Uint64()
	if s.files != nil {
		u.Syncs, u.SlabWrites = s.files.syncs.Load(), s.files.slabWrites.Load()
	}
	u.Resident, u.Peak, u.Anonymous, err = resident()
	return u, err
}

// switchProfile ends the CPU profile that is being written, if any, and begins one where file has a name.
func switchProfile(open *os.File, file string) (*os.File, error) {
	if open != nil {
		pprof.StopCPUProfile()
		if err := open.Close(); err != nil {
			return nil, err
		}
	}
	if file == "" {
		return nil, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return f, pprof.StartCPUProfile(f)
}
