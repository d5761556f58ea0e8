package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
)

// Check is a part of the program that has to be ready before the server is, or that is worth a look if it is not.
type Check struct {
	// Name names the part in the answer of /readyz.
	Name string
	// Ready returns nil, or why not. The error goes to the log only.
	Ready func(context.Context) error
	// Advisory means that the server is ready without it: the answer and the log name it, and calls go on.
	Advisory bool
}

// healthPath stands before the names of the procedures of gRPC's health service.
const healthPath = "/" + grpchealth.HealthV1ServiceName + "/"

// mountHealth adds gRPC's services that tell whether the server is ready, and what its API looks like. None of it tells
// anything about users.
func (s *Server) mountHealth() error {
	public := slices.Clone(s.services)
	slices.Sort(public)
	public = append(public, grpchealth.HealthV1ServiceName)
	limit := connect.WithReadMaxBytes(MaxMessageBytes)
	_, handler := grpchealth.NewHandler(health{s, public}, limit)
	s.services = append(s.services, grpchealth.HealthV1ServiceName)
	for _, method := range [...]string{"Check", "Watch"} { // Watch answers that it is not implemented, which clients understand
		if err := s.addProcedure(healthPath+method, procedure{handler: handler}.endpoint()); err != nil {
			return err
		}
	}
	if s.config.WithoutReflection {
		return nil
	}
	return s.mountReflection(public)
}

func healthz(w http.ResponseWriter, _ *http.Request, _ []string) error {
	writeText(w, http.StatusOK, "ok\n")
	return nil
}

// readyz names the parts that are not ready. The reasons are in the log only, since everyone may read the answer.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request, _ []string) error {
	switch ready, failed := s.ready(r.Context()); {
	case !ready:
		writeText(w, http.StatusServiceUnavailable, "not ready: "+strings.Join(failed, ", ")+"\n")
	case len(failed) > 0:
		writeText(w, http.StatusOK, "ok, except: "+strings.Join(failed, ", ")+"\n")
	default:
		writeText(w, http.StatusOK, "ok\n")
	}
	return nil
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, text)
}

// health answers grpc.health.v1.Health/Check for the server and for each of its services: they stand and fall
// together.
type health struct {
	*Server
	services []string
}

func (h health) Check(ctx context.Context, req *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if req.Service != "" && !slices.Contains(h.services, req.Service) {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such service"))
	}
	if ready, _ := h.ready(ctx); !ready {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}
