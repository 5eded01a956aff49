package proxied_test

import (
	"net/http"
	"testing"

	"github.com/oidcauth/oidcauth/internal/proxied"
)

func TestCheckMethod(t *testing.T) {
	t.Parallel()
	for method, good := range map[string]bool{
		"GET": true, "M-SEARCH": true, "AZ09": true, "GET!": true, "GETa": false, "GETz": false, "VERSION_2": true, "post": false, "Post": false, "POSt": false,
		"": false, "GET ": false, " GET": false, "GET\t": false, "G,T": false, "POſT": false, "\xbb": false, "GET\x00": false,
	} {
		if err := proxied.CheckMethod(method); (err == nil) != good {
			t.Errorf("CheckMethod(%q) = %v, want good %t", method, err, good)
		}
	}
}

func TestCheckMethodHeaders(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"X-Original-Method": true, "X-Forwarded-Method": true, "Access-Control-Request-Method": true, "X-Methodology": true,
		"X-Http-Method-Override": false, "X-Http-Method": false, "X-Method-Override": false, "x_http_method_override": false, "X.Http.Method": false,
		"XaHttpaMethod": true, "XzHttpzMethod": true, "XAHttpAMethod": true, "XZHttpZMethod": true, "X0Http0Method": true, "X9Http9Method": true,
	} {
		if err := proxied.CheckMethodHeaders(http.Header{name: {"GET"}}); (err == nil) != good {
			t.Errorf("CheckMethodHeaders(%s) = %v, want good %t", name, err, good)
		}
	}
}
