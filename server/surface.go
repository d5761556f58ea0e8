package server

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	avatardconnect "example.org/avatard/gen/avatard/v1/avatardv1connect"
	authv1 "example.org/avatard/gen/zitadel/auth/v1"
	authconnect "example.org/avatard/gen/zitadel/auth/v1/authv1connect"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	managementconnect "example.org/avatard/gen/zitadel/management/v1/managementv1connect"
)

// surface lists the services and routes of a server beside health and reflection, and the rules of access for all endpoints.
type surface struct {
	services []service
	routes   []plainRoute
	rules    map[string]accessRule
}

// service is an RPC service of ours. Its descriptor says which REST routes are bound to its procedures, and what their
// requests have to look like.
type service struct {
	descriptor protoreflect.ServiceDescriptor
	handler    func(...connect.HandlerOption) (path string, handler http.Handler)
}

// plainRoute is a route that is not bound to a procedure.
type plainRoute struct {
	method, pattern string
	serve           serveFunc
}

// surface is the list of what is served. Everything in it needs a rule in accessRules.
func (s *Server) surface() surface {
	all := surface{
		services: []service{
			{managementv1.File_zitadel_management_v1_management_proto.Services().ByName("ManagementService"),
				func(options ...connect.HandlerOption) (string, http.Handler) {
					return managementconnect.NewManagementServiceHandler(management{s}, options...)
				}},
			{authv1.File_zitadel_auth_v1_auth_proto.Services().ByName("AuthService"),
				func(options ...connect.HandlerOption) (string, http.Handler) {
					return authconnect.NewAuthServiceHandler(auth{s}, options...)
				}},
			{avatardv1.File_avatard_v1_erasure_proto.Services().ByName("ErasureService"),
				func(options ...connect.HandlerOption) (string, http.Handler) {
					return avatardconnect.NewErasureServiceHandler(erasures{s}, options...)
				}},
			{avatardv1.File_avatard_v1_users_proto.Services().ByName("UserService"),
				func(options ...connect.HandlerOption) (string, http.Handler) {
					return avatardconnect.NewUserServiceHandler(users{s}, options...)
				}},
		},
		routes: []plainRoute{
			{http.MethodPost, ownPicture, s.uploadOwn},
			{http.MethodPost, managedPicture, s.uploadForUser},
			{http.MethodGet, ownPicture, s.readOwn},
			{http.MethodGet, picturePattern, s.read},
			{http.MethodGet, "/healthz", healthz},
			{http.MethodGet, "/readyz", s.readyz},
			{http.MethodGet, "/openapi.json", s.document("application/json", func(d *documents) []byte { return d.json })},
			{http.MethodGet, "/openapi.yaml", s.document("application/yaml", func(d *documents) []byte { return d.yaml })},
			{http.MethodGet, "/docs", s.serveDocs},
			{http.MethodGet, "/callback", s.serveCallback},
			{http.MethodGet, "/web/{file}", s.servePageFile},
			{http.MethodGet, "/api.binpb", s.document("application/protobuf", func(d *documents) []byte { return d.descriptors })},
			{http.MethodGet, "/api.zip", s.document("application/zip", func(d *documents) []byte { return d.protos })},
		},
		rules: s.accessRules(),
	}
	if s.config.Page {
		all.routes = append(all.routes, plainRoute{http.MethodGet, "/", s.servePerson})
	}
	for _, h := range s.config.Hooks {
		all.routes = append(all.routes, plainRoute{http.MethodPost, hookPrefix + h.Name, newHookRoute(s, h).serve})
	}
	return all
}

// mount makes a server answer a surface, health and reflection.
func (s *Server) mount(whole surface) error {
	if err := s.mountServices(whole.services); err != nil {
		return err
	}
	for _, route := range whole.routes {
		if err := s.handle(route.method, route.pattern, &endpoint{serve: route.serve}); err != nil {
			return err
		}
	}
	if err := s.mountHealth(); err != nil {
		return err
	}
	return s.giveRules(whole.rules)
}

// giveRules gives every endpoint its rule of access. An endpoint without a rule is a fault, and so is a rule without an endpoint.
func (s *Server) giveRules(rules map[string]accessRule) error {
	var faults []error
	unused := maps.Clone(rules)
	for name, e := range s.endpoints() {
		rule, listed := rules[name]
		delete(unused, name)
		switch {
		case !listed:
			faults = append(faults, fmt.Errorf("server: %s has no rule of access", name))
		case rule.reader && e.variables != 2:
			faults = append(faults, fmt.Errorf("server: the rule of access of %s needs a path with two variables", name))
		}
		e.rule = rule
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		faults = append(faults, fmt.Errorf("server: a rule of access names %s, which is not served", name))
	}
	return errors.Join(faults...)
}

// endpoints iterates over all endpoints, by the names of their rules.
func (s *Server) endpoints() iter.Seq2[string, *endpoint] {
	return func(yield func(string, *endpoint) bool) {
		for _, path := range slices.Sorted(maps.Keys(s.procedures)) {
			if !yield(path, s.procedures[path]) {
				return
			}
		}
		for _, route := range s.routes {
			for _, method := range slices.Sorted(maps.Keys(route.methods)) {
				e := route.methods[method]
				name := method + " " + route.pattern
				if e.procedure != "" {
					name = e.procedure
				} else if method == http.MethodHead && e == route.methods[http.MethodGet] {
					continue
				}
				if !yield(name, e) {
					return
				}
			}
		}
	}
}
