package server

import "testing"

// queries are calls whose query becomes part of the request.
var queries = []annotatedCall{
	{"fields", "GET", probeThings + "?page_size=25&tags=a&tags=b%26c&deep=true&order=NEWEST", "", `{"userId":"7","pageSize":"25","tags":["a","b&c"],"deep":true,"order":"NEWEST"}`},
	{"names as in JSON", "GET", probeThings + "?pageSize=25&filter.namePart=x&filter.filter.name_part=y&order=1", "",
		`{"userId":"7","pageSize":"25","filter":{"namePart":"x","filter":{"namePart":"y"}},"order":"NEWEST"}`},
	{"a time", "GET", probeThings + "?since=2023-05-12T10:02:11Z", "", `{"userId":"7","since":"2023-05-12T10:02:11Z"}`},
	{"wrappers", "GET", probeThings + "?hidden=false&least=-5", "", `{"userId":"7","hidden":false,"least":"-5"}`},
	{"a number of an enum below zero", "GET", probeThings + "?order=-1", "", `{"userId":"7","order":-1}`},
	{"unknown parameters", "GET", probeThings + "?x=1&filter.y=2&page_size.z=3&tags.0=4&=5&.=6&user_id=9&userId=9&&a;b=1", "", `{"userId":"7"}`},
	{"unknown parameters that cannot be decoded", "GET", probeThings + "?x=%zz&page_size=1&%zz=2&utm=100%", "", `{"userId":"7","pageSize":"1"}`},
	{"a broken escape", "GET", probeThings + "?page_size=%zz", "", "the query parameter page_size cannot be read"},
	{"a semicolon", "GET", probeThings + "?tags=a;tags=b", "", "the query parameter tags cannot be read"},
	{"a bad number", "GET", probeThings + "?page_size=secret", "", "the query parameter page_size cannot be read"},
	{"a bad truth value", "GET", probeThings + "?deep=secret", "", "the query parameter deep cannot be read"},
	{"a bad truth value in a wrapper", "GET", probeThings + "?hidden=1", "", "the query parameter hidden cannot be read"},
	{"inside a wrapper", "GET", probeThings + "?hidden.value=true", "", "the query parameter hidden.value cannot be read"},
	{"an unknown enum value", "GET", probeThings + "?order=secret", "", "the query parameter order cannot be read"},
	{"an enum value that is not a 32-bit number", "GET", probeThings + "?order=4294967296", "", "the query parameter order cannot be read"},
	{"a message as text", "GET", probeThings + "?filter=secret", "", "the query parameter filter cannot be read"},
	{"no UTF-8", "GET", probeThings + "?tags=%FF", "", "the query parameter tags cannot be read"},
	{"one thing twice", "GET", probeThings + "?page_size=1&page_size=1", "", "the query parameter page_size is there more than once"},
	{"one thing under both names", "GET", probeThings + "?page_size=1&pageSize=1", "", "the query parameter page_size is there more than once"},
	{"a list under one name", "GET", probeThings + "?tags=b&tags=a", "", `{"userId":"7","tags":["b","a"]}`},
	{"a member of a oneof", "GET", probeThings + "?by_filter.name_part=x&byFilter.filter.namePart=y", "", `{"userId":"7","byFilter":{"namePart":"x","filter":{"namePart":"y"}}}`},
	{"two members of a oneof", "GET", probeThings + "?by_name=x&by_filter.name_part=y", "", "the query parameter by_name excludes the field by_filter, which is there too"},
	{"two members of a oneof, one in the body", "POST", "/probe/v1/named?by_filter.name_part=y", `"x"`, "the query parameter by_filter.name_part excludes the field by_name, which is there too"},
}

// Query parameters set the fields that they name, in protobuf's JSON mapping. One that cannot be read is 400, and unknown ones are ignored.
func TestQueryParameters(t *testing.T) {
	f := startProbe(t, nil)
	for _, call := range queries {
		t.Run(call.title, func(t *testing.T) { call.check(t, f) })
	}
}
