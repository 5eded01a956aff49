package provider

import (
	"crypto/rand"
	"crypto/subtle"
	"html/template"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

const sessionCookie = "provider_session"

// loginSession is somebody signed in at the provider in one browser: the next
// client does not ask for the password again.
type loginSession struct {
	id      string // the "sid" claim; the cookie's value is another one
	user    *User
	since   time.Time
	clients map[string]bool // by ID, that the person came to through it; guarded by storage.mu
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<meta charset="utf-8"><title>Sign in</title>
<form method="post" action="/login">
<p>{{.Message}}</p>
<input type="hidden" name="request" value="{{.Request}}">
<label>Name <input name="name" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Sign in</button>
</form>
`))

// showLogin asks for name and password, or goes on at once for a browser that
// is signed in.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	request := r.FormValue("request")
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if session := p.storage.session(cookie.Value); session != nil {
			p.finishLogin(w, r, request, session)
			return
		}
	}
	renderLogin(w, http.StatusOK, request, "Sign in to go on.")
}

// acceptLogin checks name and password.
func (p *Provider) acceptLogin(w http.ResponseWriter, r *http.Request) {
	request := r.PostFormValue("request")
	user := p.storage.userByPassword(r.PostFormValue("name"), r.PostFormValue("password"))
	if user == nil {
		renderLogin(w, http.StatusUnauthorized, request, "That name and password do not match.")
		return
	}
	session, cookie := p.storage.signIn(user)
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	p.finishLogin(w, r, request, session)
}

// finishLogin marks the request as signed in and hands the browser back to the
// protocol.
func (p *Provider) finishLogin(w http.ResponseWriter, r *http.Request, request string, session *loginSession) {
	if !p.storage.complete(request, session) {
		http.Error(w, "this sign-in is not known or has expired; start again", http.StatusBadRequest)
		return
	}
	ctx := op.ContextWithIssuer(r.Context(), p.issuer)
	http.Redirect(w, r, op.AuthCallbackURL(p.op)(ctx, request), http.StatusFound)
}

func renderLogin(w http.ResponseWriter, status int, request, message string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The only error left is a browser that went away.
	_ = loginPage.Execute(w, struct{ Request, Message string }{request, message})
}

func (s *storage) userByPassword(name, password string) *User {
	for _, user := range s.users {
		if user.Name == name && subtle.ConstantTimeCompare([]byte(user.Password), []byte(password)) == 1 {
			return user
		}
	}
	return nil
}

func (s *storage) signIn(user *User) (session *loginSession, cookie string) {
	session = &loginSession{id: rand.Text(), user: user, since: time.Now(), clients: make(map[string]bool)}
	cookie = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[cookie] = session
	return session, cookie
}

func (s *storage) session(cookie string) *loginSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[cookie]
}

// complete reports false when there is no such request.
func (s *storage) complete(request string, session *loginSession) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, ok := s.requests[request]
	if !ok || time.Now().After(waiting.expires) {
		return false
	}
	s.requests[request] = waiting.signedIn(session)
	session.clients[waiting.clientID] = true
	return true
}
