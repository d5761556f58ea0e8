package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"example.org/avatard/server/reference"
)

// undescribed are the routes that the reference leaves out: they are the reference.
var undescribed = []string{"GET /openapi.json", "GET /openapi.yaml", "GET /api.binpb", "GET /api.zip", "GET /docs", "GET /callback", "GET /web/{file}"}

// Every endpoint is described as it is served: with its method, its path, and who may call it.
func TestOperationsAreWhatIsServed(t *testing.T) {
	for _, public := range []bool{false, true} {
		f := start(t, func(c *Config) { c.PublicAssets = public })
		described := map[string]reference.Operation{}
		for _, o := range f.server.operations() {
			described[o.Method+" "+o.Path] = o
		}
		for _, route := range f.server.routes {
			for method, e := range route.methods {
				name := method + " " + route.pattern
				o, there := described[method+" "+jsonPath(route.pattern)]
				switch {
				case method == http.MethodHead || slices.Contains(undescribed, name):
					continue
				case !there:
					t.Errorf("%s is served and not described", name)
					continue
				}
				delete(described, method+" "+jsonPath(route.pattern))
				if o.Open != (e.rule.open || e.rule.public) || o.Permission != string(e.rule.need) {
					t.Errorf("%s is described as open %v and with permission %q; its rule is %+v", name, o.Open, o.Permission, e.rule)
				}
				procedure := ""
				if o.Procedure != nil {
					procedure = "/" + string(o.Procedure.Parent().FullName()) + "/" + string(o.Procedure.Name())
				}
				if procedure != e.procedure {
					t.Errorf("%s is described as the procedure %q, and is %q", name, procedure, e.procedure)
				}
			}
		}
		for name := range described {
			t.Errorf("%s is described and not served", name)
		}
	}
}

// openAPI is a document, decoded.
type openAPI struct {
	Servers []struct{ URL string }
	Paths   map[string]map[string]struct {
		OperationID string
		Responses   map[string]struct {
			Content map[string]struct {
				Schema   map[string]any
				Example  any
				Examples map[string]struct{ Value any }
			}
		}
	}
}

// Every example in the document is as its schema says, and JSON and YAML say the same.
func TestExamplesFitTheirSchemas(t *testing.T) {
	f := start(t, nil)
	_, text := f.do(t, http.MethodGet, "/openapi.json", nil)
	check := schemasOf(t, text)
	var d openAPI
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Servers) != 1 || d.Servers[0].URL != f.url {
		t.Errorf("the document names the servers %v, want %s", d.Servers, f.url)
	}
	examples := 0
	for path, methods := range d.Paths {
		for method, o := range methods {
			for status, r := range o.Responses {
				for media, c := range r.Content {
					values := map[string]any{}
					if c.Example != nil {
						values["example"] = c.Example
					}
					for name, e := range c.Examples {
						values[name] = e.Value
					}
					for name, value := range values {
						examples++
						ref, _ := c.Schema["$ref"].(string)
						if ref == "" {
							continue
						}
						if err := check(ref, value); err != nil {
							t.Errorf("%s %s, %s as %s, %s: %v", method, path, status, media, name, err)
						}
					}
				}
			}
		}
	}
	if examples < 100 {
		t.Errorf("the document has %d examples, want many", examples)
	}
	_, asYAML := f.do(t, http.MethodGet, "/openapi.yaml", nil)
	var one, tree, other any
	if err := yaml.Unmarshal([]byte(asYAML), &tree); err != nil {
		t.Fatal("not YAML:", err)
	}
	again, err := json.Marshal(tree)
	if err != nil || json.Unmarshal([]byte(text), &one) != nil || json.Unmarshal(again, &other) != nil {
		t.Fatal("not JSON:", err)
	}
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("JSON and YAML differ (-JSON +YAML):\n%s", diff)
	}
}

// schemasOf returns a function that checks a value against a schema of a document, by its place in it.
func schemasOf(t *testing.T, document string) func(ref string, value any) error {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("document.json", decoded); err != nil {
		t.Fatal(err)
	}
	return func(ref string, value any) error {
		schema, err := compiler.Compile("document.json" + ref)
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
}

// The descriptors that are served are whole: every file is there that another one imports, and our own have their comments.
func TestDescriptorsAreWhole(t *testing.T) {
	f := start(t, nil)
	_, text := f.do(t, http.MethodGet, "/api.binpb", nil)
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal([]byte(text), &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	d, err := files.FindDescriptorByName("zitadel.management.v1.ManagementService.RemoveHumanAvatar")
	if err != nil {
		t.Fatal(err)
	}
	if comment := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments; !strings.Contains(comment, "for good") {
		t.Errorf("the comment of RemoveHumanAvatar = %q", comment)
	}
}
