package proxies_test

import (
	"encoding/base64"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestProxies is the table: what each proxy does with each kind of request.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, binary)
			w.serveFor(t, p, map[string]any{"ticket_query": "ticket"})
			p.start(t, w)
			w.ready(t)
			for _, column := range []struct {
				name  string
				check func(*testing.T, *world, proxy)
			}{
				{"accepted", accepted},
				{"nonce of a refusal", nonceOfRefusal},
				{"proof used, not handed on", proofTakenOut},
				{"401 with challenge", unauthorized},
				{"403", forbidden},
				{"503 with Retry-After", unavailable},
				{"spoofed header replaced", spoofedIdentity},
				{"spoofed forwarded header ignored", spoofedRequest},
				{"who is calling", whoIsCalling},
				{"path read in several ways", ambiguousPath},
				{"nothing empty handed on", nothingEmpty},
				{"the client's own cookies", ownCookies},
				{"WebSocket", webSocket},
				{"WebSocket refused", webSocketRefused},
				{"no other protocol", noOtherProtocol},
				{"long answer", longAnswer},
				{"preflight refused", preflightRefused},
				{"preflight", preflight},
				{"nobody to ask", nobodyToAsk},
			} {
				t.Run(column.name, func(t *testing.T) { column.check(t, w, p) })
			}
		})
	}
}

// token returns a token of an issuer for the roles and scopes.
func token(iss *oidctest.Issuer, roles []string, scope string) string {
	return iss.Token(map[string]any{"sub": "alice", "aud": "https://api.example.com", "roles": roles, "scope": scope})
}

// ready waits until a good token passes: the keys are in hand, and the proxy knows
// where to ask.
func (w *world) ready(t *testing.T) {
	t.Helper()
	good := token(w.issuer, nil, "")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got := w.get(t, "GET", "/items", good); got.seen != nil {
			return
		}
	}
	t.Fatalf("a good token does not pass: %+v\n%s", w.get(t, "GET", "/items", good), w.log)
}

func accepted(t *testing.T, w *world, _ proxy) {
	roles := []string{"admin", "a,b"}
	tok := token(w.issuer, roles, "items:write x")
	got := w.send(t, "POST", "/items/7?q=%2F", "the body", "Authorization", "Bearer "+tok, "Cookie", "theme=dark")
	if got.status != 200 || got.seen == nil || got.seen.Body != "the body" || got.seen.Method != "POST" || got.seen.URI != "/items/7?q=%2F" {
		t.Fatalf("got %+v", got)
	}
	for name, want := range map[string]string{
		"X-Auth-Identity": identity.New(w.issuer.URL(), "alice").String(),
		"X-Auth-Issuer":   w.issuer.URL(),
		"X-Auth-Subject":  "alice",
		"X-Auth-Roles":    "admin,a%2Cb",
		"X-Auth-Scopes":   "items:write,x",
		"Cookie":          "theme=dark",
		"Authorization":   "",
	} {
		if values := got.seen.Header.Values(name); strings.Join(values, "|") != want {
			t.Errorf("the service got %s = %q, want %q", name, values, want)
		}
	}
	mustNotLeak(t, w, got.seen, tok)
	if got := w.get(t, "GET", "/admin/x", tok); got.status != 200 {
		t.Errorf("GET /admin/x as an admin: %+v", got)
	}
	if got := w.send(t, "GET", "/items", "", "Cookie", "session="+tok+"; theme=dark"); got.status != 200 || got.seen.Header.Get("Cookie") != "theme=dark" {
		t.Errorf("by cookie: %+v", got)
	}
	if got := w.get(t, "HEAD", "/items", tok); got.status != 200 {
		t.Errorf("HEAD: %+v", got)
	}
}

// nonceOfRefusal: a client learns the nonce that its proof has to have, from each refusal
// that could be of want of one, and that there are proofs.
func nonceOfRefusal(t *testing.T, w *world, p proxy) {
	prover := oidctest.NewProver(t, "")
	bound := w.issuer.Token(map[string]any{"sub": "alice", "aud": "https://api.example.com", "cnf": map[string]any{"jkt": prover.Thumbprint()}})
	send := func(nonce any) answer {
		proof := prover.Proof("GET", "https://api.example.com/items", bound, map[string]any{"nonce": nonce})
		return w.send(t, "GET", "/items", "", "Authorization", "DPoP "+bound, "DPoP", proof)
	}
	var nonces []string
	for name, got := range map[string]answer{"no nonce": send(nil), "another's nonce": send("x"), "no token": w.send(t, "GET", "/items", "")} {
		nonces = got.header.Values("DPoP-Nonce")
		if got.status != 401 || len(nonces) != 1 || nonces[0] == "" || got.seen != nil {
			t.Fatalf("%s: %+v, want 401 and a nonce", name, got)
		}
		if exposed := strings.Join(got.header.Values("Access-Control-Expose-Headers"), ", "); !strings.Contains(exposed, "DPoP-Nonce") {
			t.Errorf("%s: pages may read %q, want DPoP-Nonce", name, exposed)
		}
		challenges, want := got.header.Values("WWW-Authenticate"), `error="use_dpop_nonce"`
		if name == "no token" {
			want = "DPoP algs="
		}
		if !strings.Contains(strings.Join(challenges, "\n"), want) && (name != "no token" || p.name != "nginx") { // 1.22 hands on one
			t.Errorf("%s: the challenges are %q, want %s", name, challenges, want)
		}
	}
	if got := send(nonces[0]); got.status != 200 || got.seen == nil {
		t.Errorf("with the nonce: %+v, want 200", got)
	}
	if got := w.get(t, "GET", "/admin", token(w.issuer, nil, "")); got.status != 403 || len(got.header.Values("DPoP-Nonce")) > 1 {
		t.Errorf("forbidden: %+v", got)
	}
}

// proofTakenOut: a token that is bound to a key passes with proof, and neither gets to the
// service; a proof that nobody looked at does.
func proofTakenOut(t *testing.T, w *world, _ proxy) {
	prover := oidctest.NewProver(t, "")
	bound := w.issuer.Token(map[string]any{"sub": "alice", "aud": "https://api.example.com", "cnf": map[string]any{"jkt": prover.Thumbprint()}})
	nonce := w.send(t, "GET", "/items", "").header.Get("DPoP-Nonce")
	proof := func(method string) string {
		return prover.Proof(method, "https://api.example.com/items", bound, map[string]any{"nonce": nonce})
	}
	used := proof("GET")
	got := w.send(t, "GET", "/items", "", "Authorization", "DPoP "+bound, "DPoP", used)
	if got.status != 200 || got.seen == nil || got.seen.Header.Get("X-Auth-Subject") != "alice" {
		t.Fatalf("with proof: %+v", got)
	}
	mustNotLeak(t, w, got.seen, bound)
	mustNotLeak(t, w, got.seen, used)
	if left := got.seen.Header.Get("DPoP"); left != "" {
		t.Errorf("the service got DPoP = %q", left)
	}
	for name, headers := range map[string][]string{
		"the same proof":   {"Authorization", "DPoP " + bound, "DPoP", used},
		"another method's": {"Authorization", "DPoP " + bound, "DPoP", proof("POST")},
		"none":             {"Authorization", "DPoP " + bound},
		"as a bearer":      {"Authorization", "Bearer " + bound, "DPoP", proof("GET")},
	} {
		if got := w.send(t, "GET", "/items", "", headers...); got.status != 401 || got.seen != nil {
			t.Errorf("%s: %+v, want 401", name, got)
		}
	}
	if got := w.get(t, "GET", "/items", token(w.issuer, nil, ""), "DPoP", "x"); got.seen == nil || got.seen.Header.Get("DPoP") != "x" {
		t.Errorf("a header that was not used: %+v, want it at the service", got)
	}
}

// mustNotLeak checks that the token reached neither the service nor the log.
func mustNotLeak(t *testing.T, w *world, got *seen, tok string) {
	t.Helper()
	signature := tok[strings.LastIndex(tok, ".")+1:]
	encoded := base64.RawURLEncoding.EncodeToString([]byte(tok))
	for name, values := range got.Header {
		for _, v := range values {
			if strings.Contains(v, signature) || strings.Contains(v, encoded[len(encoded)-40:]) {
				t.Errorf("the service got the token in %s", name)
			}
		}
	}
	if strings.Contains(w.log.String(), signature) {
		t.Error("the log has the token")
	}
}

func unauthorized(t *testing.T, w *world, _ proxy) {
	expired := w.issuer.Token(map[string]any{"aud": "https://api.example.com", "exp": 1})
	for name, tt := range map[string]struct {
		headers []string
		says    string
	}{
		"no token":    {nil, "resource_metadata="},
		"expired":     {[]string{"Authorization", "Bearer " + expired}, `error="invalid_token"`},
		"two tokens":  {[]string{"Authorization", "Bearer " + expired, "Authorization", "Bearer x"}, "Bearer"},
		"two schemes": {[]string{"Authorization", "Basic YTpi", "Cookie", "session=" + expired}, `error="invalid_token"`},
	} {
		got := w.send(t, "GET", "/items", "", tt.headers...)
		if challenge := got.header.Get("WWW-Authenticate"); got.status != 401 || !strings.HasPrefix(challenge, "Bearer ") || !strings.Contains(challenge, tt.says) || got.seen != nil {
			// HAProxy and Envoy answer some requests with two such headers themselves.
			if name != "two tokens" || got.status != 400 {
				t.Errorf("%s: %+v, want 401 and %s", name, got, tt.says)
			}
		}
		if retry := got.header.Values("Retry-After"); len(retry) > 0 {
			t.Errorf("%s: Retry-After = %q, want none: the same would be refused again", name, retry)
		}
	}
}

func forbidden(t *testing.T, w *world, _ proxy) {
	user := token(w.issuer, []string{"admin,owner"}, "items:read")
	for _, tt := range [][2]string{{"GET", "/admin"}, {"POST", "/admin/x"}, {"POST", "/items/7"}, {"DELETE", "/items"}, {"GET", "/other"}} {
		if got := w.get(t, tt[0], tt[1], user); got.status != 403 || got.seen != nil {
			t.Errorf("%s %s: %+v, want 403", tt[0], tt[1], got)
		}
	}
}

func unavailable(t *testing.T, w *world, _ proxy) {
	got := w.get(t, "GET", "/items", token(w.broken, nil, ""))
	if retry := got.header.Get("Retry-After"); got.status != 503 || retry == "" || len(got.header["Retry-After"]) > 1 || got.seen != nil {
		t.Errorf("got %+v, want 503 with Retry-After", got)
	}
}

// spoofedIdentity: whatever spelling a client gives the headers, nothing of it is left
// that the service could take for the proxy's word.
func spoofedIdentity(t *testing.T, w *world, _ proxy) {
	user := token(w.issuer, nil, "")
	for _, spelling := range []string{"X-Auth-%s", "x-auth-%s", "X_Auth_%s", "x_auth_%s", "X-Auth_%s", "X_AUTH-%s", "X.Auth.%s", "X-Auth.%s",
		"x!auth!%s", "X#Auth-%s", "X$Auth$%s", "x%auth-%s", "X&Auth&%s", "X'Auth-%s", "X*Auth-%s", "x+auth+%s", "X^Auth_%s", "X`Auth`%s", "X|Auth~%s", "x~auth.%s"} {
		var headers []string
		for _, what := range []string{"Identity", "Issuer", "Subject", "Roles", "Scopes"} {
			headers = append(headers, strings.ReplaceAll(spelling, "%s", what), "spoofed")
		}
		got := w.get(t, "GET", "/items", user, headers...)
		if got.seen == nil {
			if !strings.HasPrefix(strings.ToLower(spelling), "x-auth-") && got.status == 400 {
				continue // refused altogether
			}
			t.Errorf("%s: %+v", spelling, got)
			continue
		}
		for name, values := range got.seen.Header {
			if strings.Contains(strings.Join(values, " "), "spoofed") {
				t.Errorf("%s: the service got %s = %q", spelling, name, values)
			}
		}
		if id := got.seen.Header.Get("X-Auth-Identity"); id != identity.New(w.issuer.URL(), "alice").String() {
			t.Errorf("%s: X-Auth-Identity = %q", spelling, id)
		}
	}
	// Nor does the client take one away by calling it the connection's (RFC 9110, section
	// 7.6.1), at this proxy or at the next.
	for _, names := range []string{"X-Auth-Identity, X-Auth-Subject", "x-auth-IDENTITY", "keep-alive,\tX-Auth-Identity ,X-Auth-Subject"} {
		got := w.get(t, "GET", "/items", user, "Connection", names)
		if got.seen == nil || got.seen.Header.Get("X-Auth-Identity") != identity.New(w.issuer.URL(), "alice").String() ||
			strings.Contains(strings.ToLower(strings.Join(got.seen.Header.Values("Connection"), ",")), "auth") {
			t.Errorf("Connection: %s: %+v, want the headers at the service", names, got)
		}
	}
	// What opens a WebSocket has a Connection that some proxies hand on.
	for _, names := range []string{"Upgrade, X-Auth-Identity, X-Auth-Subject", "x_auth_identity, upgrade", "\"X-Auth-Identity\", Upgrade"} {
		got := w.upgrade(t, names, user)
		if got.status == 400 {
			continue // refused altogether
		}
		if got.seen == nil || got.seen.Header.Get("X-Auth-Identity") != identity.New(w.issuer.URL(), "alice").String() ||
			strings.Contains(strings.ToLower(strings.Join(got.seen.Header.Values("Connection"), ",")), "auth") {
			t.Errorf("Upgrade, and Connection: %s: %+v, want the headers at the service", names, got)
		}
	}
}

// spoofedRequest: no header and no query makes the rules see another request.
func spoofedRequest(t *testing.T, w *world, p proxy) {
	user := token(w.issuer, nil, "items:read")
	lies := []string{
		"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/items", "X-Original-Method", "GET", "X-Original-URI", "/items",
		"X-Envoy-Original-Path", "/items", "X-Envoy-Original-Method", "GET", "X-Rewrite-Url", "/items", "X-Original-Url", "/items",
		"X-Forwarded-Prefix", "/items", "X-Forwarded-Path", "/items", "Forwarded", `for=127.0.0.1;host="x"`,
	}
	alone := func(names string) []string { return []string{"Connection", names} }
	for name, headers := range map[string][]string{
		"beside":     lies,
		"hop by hop": append(alone("close, X-Forwarded-Method, X-Forwarded-Uri, X-Original-Method, X-Original-URI, Authorization"), lies...),
		"removed":    alone("close, X-Forwarded-Method, X-Forwarded-Uri, X-Original-Method, X-Original-URI"),
	} {
		for _, tt := range [][2]string{
			{"GET", "/admin"}, {"POST", "/items"}, {"GET", "/admin?X-Forwarded-Uri=/items&X-Original-URI=/items&uri=/items&path=/items"},
			{"POST", "/items?X-Forwarded-Method=GET&method=GET&_method=GET"},
		} {
			if got := w.get(t, tt[0], tt[1], user, headers...); got.seen != nil || got.status < 400 {
				t.Errorf("%s: %s %s: %+v, want a refusal", name, tt[0], tt[1], got)
			}
		}
	}
	if got := w.get(t, "GET", "/items", user, lies...); got.status != 200 {
		t.Errorf("the request that they tell of: %+v, want 200", got)
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override"} {
		got := w.get(t, "GET", "/items", user, name, "DELETE")
		dropped := got.seen != nil && len(got.seen.Header.Values(name)) == 0
		if got.seen != nil && !p.grpc && !dropped { // whose programs look at headers themselves
			t.Errorf("%s: %+v, want a refusal", name, got)
		}
	}
}

// ambiguousPath: no spelling of a path reaches the service that somebody could read as
// another path than the rules saw.
func ambiguousPath(t *testing.T, w *world, _ proxy) {
	user := token(w.issuer, nil, "items:read")
	for _, target := range []string{
		"/items/../admin", "/items/./../admin", "/items/%2e%2e/admin", "/items/%2E./admin", "/items/..%2fadmin", "/items%2f..%2fadmin", "/items/..;/admin",
		"//admin", "/items//../admin", "/./admin", "/%61dmin", "/%2561dmin", "/admin%2f", "/admin;x=/items", "/admin/..%5c", `/items\..\admin`,
		"/items/%252e%252e/admin", "/admin%3f/items", "/admin%23/items", "/Admin%00/items", "/admin%20", "/admin/", "/admin//",
	} {
		got := w.get(t, "GET", target, user)
		if got.seen == nil && got.status >= 300 { // a redirect asks once more
			continue
		}
		if got.seen == nil || reachesAdmin(got.seen.URI) {
			t.Errorf("%s: %+v, want a refusal", target, got)
		}
	}
	if got := w.get(t, "GET", "http://api.example.com/admin", user); got.seen != nil {
		t.Errorf("absolute: %+v, want a refusal", got)
	}
	// Where no host is, some take what follows for one (URL Standard), and have a path
	// that is left of the one that the rules saw.
	for _, target := range []string{"http://api.example.com/items/1", "http:///items/1", "ftp://u@x/items/1", "http:/items/1", "x:/items/1"} {
		if got := w.get(t, "GET", target, user); got.seen != nil && !strings.HasPrefix(got.seen.URI, "/items") {
			t.Errorf("%s: the service got %s, want a path", target, got.seen.URI)
		}
	}
}

// reachesAdmin reports whether any way to read an address leads to /admin.
func reachesAdmin(uri string) bool {
	for range 3 {
		read := strings.ToLower(strings.ReplaceAll(uri, `\`, "/"))
		for _, end := range []string{";", "?", "#", "\x00"} {
			read, _, _ = strings.Cut(read, end)
		}
		for _, p := range []string{read, path.Clean("/" + read), strings.ReplaceAll(read, "//", "/")} {
			if strings.HasPrefix(p, "/admin") {
				return true
			}
		}
		decoded, err := url.PathUnescape(uri)
		if err != nil {
			return false
		}
		uri = decoded
	}
	return false
}

// nothingEmpty: the service gets no header without a value that its client has not sent. An
// offer of no subprotocol is malformed (RFC 6455, section 4.1), and servers answer it with
// 400.
func nothingEmpty(t *testing.T, w *world, p proxy) {
	tok := token(w.issuer, nil, "")
	plain := w.get(t, "GET", "/items", tok)
	socket, _ := w.socket(t, "/socket", nil, "Authorization", "Bearer "+tok)
	byCookie, _ := w.socket(t, "/socket", nil, "Origin", page, "Cookie", "session="+tok+"; theme=dark")
	for name, tt := range map[string]struct {
		got  answer
		sent string
	}{"a request": {plain, "Authorization"}, "a WebSocket": {socket, "Authorization"}, "by cookie": {byCookie, "Cookie"}} {
		if tt.got.seen == nil {
			t.Fatalf("%s: %+v", name, tt.got)
		}
		for _, header := range []string{"Authorization", "Cookie", "Sec-Websocket-Protocol", "Dpop"} {
			if p.name == "caddy 2.6" && header != "Sec-Websocket-Protocol" {
				continue // it knows no way, but a line for each
			}
			if values := tt.got.seen.Header[header]; header != tt.sent && len(values) > 0 {
				t.Errorf("%s: the service got %s = %q, which nobody has sent", name, header, values)
			}
		}
	}
}

// ownCookies: what a token was not taken out of reaches the service as the client sent it,
// also in the letters of another time. What stood beside the token does, too, but for Envoy,
// whose questions have "!" there.
func ownCookies(t *testing.T, w *world, p proxy) {
	const cookie, other = "name=J\xe4ger; a=1", "name=J\uFFFDger; a=1" // as the service tells of it in JSON
	tok := token(w.issuer, nil, "")
	got := w.get(t, "GET", "/items", tok, "Cookie", cookie)
	if got.seen == nil || got.seen.Header.Get("Cookie") != other {
		t.Errorf("beside the token: %+v, want %q at the service", got, other)
	}
	want := other
	if strings.HasPrefix(p.name, "envoy") {
		want = strings.Replace(other, "\uFFFD", "!", 1)
	}
	got = w.send(t, "GET", "/items", "", "Cookie", "session="+tok+"; "+cookie)
	if got.seen == nil || got.seen.Header.Get("Cookie") != want {
		t.Errorf("with the token: %+v, want %q at the service", got, want)
	}
}

func webSocket(t *testing.T, w *world, p proxy) {
	tok := token(w.issuer, nil, "")
	encoded := base64.RawURLEncoding.EncodeToString([]byte(tok))
	type way struct {
		target       string
		subprotocols []string
		headers      []string
		chosen       string
	}
	ways := map[string]way{
		"header":      {"/socket", nil, []string{"Authorization", "Bearer " + tok}, ""},
		"subprotocol": {"/socket", []string{"chat", "bearer." + encoded}, []string{"Origin", page}, "chat"},
		"cookie":      {"/socket", []string{"chat"}, []string{"Origin", page, "Cookie", "a=1; session=" + tok}, "chat"},
	}
	if !p.grpc { // whose programs sell tickets themselves
		ways["ticket"] = way{"/socket?ticket=" + w.ticket(t, tok), nil, []string{"Origin", page}, ""}
	}
	for name, tt := range ways {
		got, chosen := w.socket(t, tt.target, tt.subprotocols, tt.headers...)
		if got.status != 101 || got.seen == nil || chosen != tt.chosen {
			t.Errorf("%s: %+v, subprotocol %q", name, got, chosen)
			continue
		}
		if id := got.seen.Header.Get("X-Auth-Identity"); id != identity.New(w.issuer.URL(), "alice").String() {
			t.Errorf("%s: X-Auth-Identity = %q", name, id)
		}
		if want := tt.chosen; got.seen.Header.Get("Sec-WebSocket-Protocol") != want {
			t.Errorf("%s: the service was offered %q", name, got.seen.Header.Values("Sec-WebSocket-Protocol"))
		}
		mustNotLeak(t, w, got.seen, tok)
	}
}

func webSocketRefused(t *testing.T, w *world, p proxy) {
	tok := token(w.issuer, nil, "")
	type way struct {
		target  string
		status  int
		headers []string
	}
	ways := map[string]way{
		"no token":                  {"/socket", 401, []string{"Origin", page}},
		"cookie of another site":    {"/socket", 403, []string{"Origin", "https://evil.example.com", "Cookie", "session=" + tok}},
		"cookie without origin":     {"/socket", 403, []string{"Cookie", "session=" + tok}},
		"a path that is not theirs": {"/admin", 403, []string{"Authorization", "Bearer " + tok}},
	}
	if !p.grpc {
		used := "/socket?ticket=" + w.ticket(t, tok)
		if got, _ := w.socket(t, used, nil, "Origin", page); got.status != 101 {
			t.Errorf("a ticket: %+v", got)
		}
		ways["used ticket"] = way{used, 401, []string{"Origin", page}}
		ways["ticket of another page"] = way{"/socket?ticket=" + w.ticket(t, tok), 403, []string{"Origin", "https://evil.example.com"}}
	}
	for name, tt := range ways {
		if got, _ := w.socket(t, tt.target, nil, tt.headers...); got.status != tt.status {
			t.Errorf("%s: %+v, want %d", name, got, tt.status)
		}
	}
}

// longAnswer: an answer that is too long for a proxy is no answer. The service gets all
// of it, or no request.
func longAnswer(t *testing.T, w *world, p proxy) {
	for _, n := range []int{100, 300, 1000, 1500, 2650} {
		// A byte of the token becomes three of the answer, near enough.
		roles := []string{strings.Repeat("\x7f", n), strings.Repeat("\x7f", n), "last"}
		got, err := w.trySend("GET", "/items", "", "Authorization", "Bearer "+token(w.issuer, roles, "last"))
		if err != nil || got.seen == nil {
			if n <= 300 {
				t.Errorf("%d bytes: %+v, %v, want it at the service", n, got, err)
			}
			t.Logf("%d bytes: status %d", n, got.status)
			continue
		}
		one := strings.Repeat("%7F", n)
		if r, s := got.seen.Header.Get("X-Auth-Roles"), got.seen.Header.Get("X-Auth-Scopes"); r != one+","+one+",last" || s != "last" {
			t.Errorf("%d bytes: the service got %d bytes of roles, and the scopes %q", n, len(r), s)
		}
	}
}

// noOtherProtocol: the service is asked to change to none but WebSocket. Once it speaks
// HTTP/2 on the connection, whoever has it makes requests that nobody is asked about, with
// whatever headers they like.
func noOtherProtocol(t *testing.T, w *world, _ proxy) {
	user := token(w.issuer, nil, "")
	for _, headers := range [][]string{
		{"Upgrade", "h2c"}, {"Upgrade", "H2C"}, {"Upgrade", "websocket, h2c"}, {"Upgrade", "h2c,websocket"},
		{"Upgrade", "h2c", "Upgrade", "websocket"}, {"Upgrade", "websocket", "Upgrade", "h2c"}, {"Upgrade", "h2c\t"},
	} {
		got, err := w.trySend("GET", "/items", "", append(headers, "Connection", "Upgrade, HTTP2-Settings", "HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA", "Authorization", "Bearer "+user)...)
		if err == nil && got.seen != nil && strings.Contains(strings.ToLower(strings.Join(got.seen.Header.Values("Upgrade"), ",")), "h2c") {
			t.Errorf("%q: the service got Upgrade: %q", headers, got.seen.Header.Values("Upgrade"))
		}
	}
}

var aPreflight = []string{"Origin", page, "Access-Control-Request-Method", "PUT"}

func preflightRefused(t *testing.T, w *world, _ proxy) {
	if got := w.send(t, "OPTIONS", "/items", "", aPreflight...); got.status != 401 || got.seen != nil {
		t.Errorf("got %+v, want 401", got)
	}
}

func preflight(t *testing.T, w *world, p proxy) {
	w.serveFor(t, p, map[string]any{"preflight": true})
	w.ready(t)
	got := w.send(t, "OPTIONS", "/admin", "", append(aPreflight, "X-Auth-Identity", "spoofed")...)
	if got.status != 200 || got.seen == nil || got.seen.Method != "OPTIONS" || got.seen.Header.Get("X-Auth-Identity") != "" {
		t.Errorf("got %+v, want it at the service, as nobody's", got)
	}
	for _, more := range [][]string{{"X-HTTP-Method-Override", "DELETE"}, {"Cookie", "theme=dark"}, {"Content-Type", "application/json"}} {
		if got := w.send(t, "OPTIONS", "/items", "", append(aPreflight[:4:4], more...)...); got.status != 401 || got.seen != nil {
			t.Errorf("with %s: %+v, want 401", more[0], got)
		}
	}
	for _, method := range []string{"GET", "POST", "HEAD"} {
		if got := w.send(t, method, "/items", "", append(aPreflight, "X-Original-Method", "OPTIONS", "X-Forwarded-Method", "OPTIONS")...); got.status != 401 || got.seen != nil {
			t.Errorf("%s: %+v, want 401", method, got)
		}
	}
}

// nobodyToAsk: without an answer nothing passes, and clients are told to come again where
// the proxy can be told to say so.
func nobodyToAsk(t *testing.T, w *world, p proxy) {
	w.stop()
	got := w.get(t, "GET", "/items", token(w.issuer, nil, ""))
	if got.status < 500 || got.seen != nil {
		t.Errorf("got %+v, want a refusal", got)
	}
	if p.dialect == "caddy" || p.dialect == "traefik" {
		return
	}
	if retry := got.header.Values("Retry-After"); got.status != 503 || len(retry) != 1 {
		t.Errorf("got %+v, want 503 with Retry-After", got)
	}
}
