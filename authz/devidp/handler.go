package devidp

import (
	"net/http"

	"github.com/rs/cors"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// maxBodyBytes bounds a request. A token may be nearly as long as the header fields of a request, 64 KiB, and a form takes three bytes for
// some of its characters.
const maxBodyBytes = 256 << 10

// routes serves below prefix, the path of the issuer. Only what is listed here reaches the library: its router would
// also answer for device codes, sessions and probes, and take tokens from a query.
func (p *Provider) routes(prefix string) http.Handler {
	login := newLogin(p)
	sameOrigin := http.NewCrossOriginProtection()
	library := http.StripPrefix(prefix, p.library)
	introspection := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.introspections.Add(1)
		library.ServeHTTP(w, r)
	})

	mux := http.NewServeMux()
	get := func(path string, h http.Handler) { mux.Handle("GET "+prefix+path, h) }
	post := func(path string, h http.Handler) { mux.Handle("POST "+prefix+path, h) }
	pages := p.forPages(mux, prefix)
	pages(oidc.DiscoveryEndpoint, http.HandlerFunc(p.discovery), http.MethodGet)
	pages(p.library.KeysEndpoint().Relative(), library, http.MethodGet)
	pages(p.library.TokenEndpoint().Relative(), library, http.MethodPost)
	pages(p.library.RevocationEndpoint().Relative(), library, http.MethodPost)
	pages(p.library.UserinfoEndpoint().Relative(), library, http.MethodGet, http.MethodPost)
	get(p.library.AuthorizationEndpoint().Relative(), library)
	post(p.library.AuthorizationEndpoint().Relative(), library)
	get(loginPath, http.HandlerFunc(login.show))
	post(loginPath, sameOrigin.Handler(http.HandlerFunc(login.submit)))
	get(p.library.AuthorizationEndpoint().Relative()+"/callback", library)
	post(p.library.IntrospectionEndpoint().Relative(), introspection)
	post(permissionsPath, http.HandlerFunc(p.searchPermissions))
	get(myUserPath, http.HandlerFunc(p.myUser))
	get(userPath, http.HandlerFunc(p.showUser))
	return http.MaxBytesHandler(mux, maxBodyBytes)
}

// forPages returns a function that mounts an endpoint which web pages of allowed origins may call.
func (p *Provider) forPages(mux *http.ServeMux, prefix string) func(path string, h http.Handler, methods ...string) {
	if p.cfg.AllowedOrigin == nil {
		return func(path string, h http.Handler, methods ...string) {
			for _, method := range methods {
				mux.Handle(method+" "+prefix+path, h)
			}
		}
	}
	return func(path string, h http.Handler, methods ...string) {
		h = cors.New(cors.Options{
			AllowOriginFunc: p.cfg.AllowedOrigin,
			AllowedMethods:  methods,
			AllowedHeaders:  []string{"Authorization", "Content-Type", "X-Requested-With"},
		}).Handler(h)
		for _, method := range append(methods, http.MethodOptions) {
			mux.Handle(method+" "+prefix+path, h)
		}
	}
}

// discovery is the library's document without what is not served here.
func (p *Provider) discovery(w http.ResponseWriter, r *http.Request) {
	doc := op.CreateDiscoveryConfig(op.ContextWithIssuer(r.Context(), p.cfg.Issuer), p.library, p.store)
	doc.EndSessionEndpoint = ""
	doc.DeviceAuthorizationEndpoint = ""
	doc.CheckSessionIframe = ""
	doc.ResponseTypesSupported = []string{string(oidc.ResponseTypeCode)}
	doc.GrantTypesSupported = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials}
	doc.IntrospectionEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPrivateKeyJWT}
	doc.IntrospectionEndpointAuthSigningAlgValuesSupported = []string{string(signingAlgorithm)}
	doc.RevocationEndpointAuthSigningAlgValuesSupported = nil
	doc.ClaimsSupported = []string{
		"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "name", "preferred_username",
		claimOrganization, claimOrganizationName, claimOrganizationDomain,
		claimRoles, claimProjectRoles(p.cfg.ProjectID),
	}
	op.Discover(w, doc)
}
