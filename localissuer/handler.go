package localissuer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/.well-known/jwks.json"

	// publishedMaxAge is for how long others may keep the keys. A new key is
	// published long before it signs.
	publishedMaxAge = "public, max-age=300"
)

// Handler serves the issuer's discovery document and keys, so that other
// servers can accept its tokens: what comes below the URL's path at
// /.well-known/openid-configuration and /.well-known/jwks.json. An issuer whose
// URL is no http or https address, a bare word for instance, has no discovery
// document; others then have to be told the address of the keys. While the keys
// in memory are trusted no more (see [Config.Dir]) they get 503.
func (l *Issuer) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !l.isMade():
			http.Error(w, "keys unavailable", http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, keysPath):
			l.serveKeys(w, r)
		case strings.HasSuffix(r.URL.Path, discoveryPath) && l.isAddress():
			l.serveDiscovery(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

func (l *Issuer) isAddress() bool {
	return strings.HasPrefix(l.url, "https://") || strings.HasPrefix(l.url, "http://")
}

func (l *Issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	body, withdrawn := l.jwks, l.withdrawn
	l.mu.Unlock()
	if withdrawn != nil {
		w.Header().Set("Retry-After", "5")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "keys unavailable", http.StatusServiceUnavailable)
		return
	}
	servePublic(w, r, "application/jwk-set+json", body)
}

func (l *Issuer) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	body, _ := json.Marshal(map[string]any{ // texts alone, which cannot fail
		"issuer":                                l.url,
		"jwks_uri":                              strings.TrimSuffix(l.url, "/") + keysPath,
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{algorithm},
	})
	servePublic(w, r, "application/json", body)
}

// servePublic answers a GET with a document that anybody may have.
func servePublic(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", publishedMaxAge)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodGet {
		w.Write(body)
	}
}
