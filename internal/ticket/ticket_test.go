package ticket_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// What was sealed opens with its own secret and in its own ticket alone, and is
// then what it was, to the byte.
func TestSeal(t *testing.T) {
	t.Parallel()
	secret, other := []byte(strings.Repeat("1", 32)), []byte(strings.Repeat("2", 32))
	typ, keyID, payload := "at+jwt", "k", `{ "iss":"a", "name":"<&>", "big":12345678901234567890 }`
	sealed, err := ticket.Seal(secret, "t1", ticket.Original{Algorithm: "ES256", KeyID: &keyID, Type: &typ, Key: "thumb"}, payload)
	if err != nil {
		t.Fatal(err)
	}
	content := `{"alg":"ES256","typ":"","key":"thumb"`
	if _, got, err := ticket.Open(secret, "t1", encrypt(t, secret, content+`,"claims":{}}`)); got != "{}" || err != nil {
		t.Fatalf("Open() of what the bad ones begin with = %q, error %v", got, err)
	}
	for _, tt := range []struct {
		name   string
		secret []byte
		id     string
		sealed string
		want   error
	}{
		{"as it was sealed", secret, "t1", sealed, nil},
		{"another secret", other, "t1", sealed, refusal.ErrUnknownKey},
		{"another ticket", secret, "t2", sealed, refusal.ErrUnknownKey},
		{"a part too few", secret, "t1", sealed[:strings.LastIndexByte(sealed, '.')], refusal.ErrMalformedToken},
		{"nothing", secret, "t1", "", refusal.ErrMalformedToken},
		{"no claims", secret, "t1", encrypt(t, secret, content+`}`), refusal.ErrMalformedToken},
		{"claims that are no object", secret, "t1", encrypt(t, secret, content+`,"claims":"x"}`), refusal.ErrMalformedToken},
		{"claims twice", secret, "t1", encrypt(t, secret, content+`,"claims":{},"claims":{}}`), refusal.ErrMalformedToken},
		{"an algorithm that is no text", secret, "t1", encrypt(t, secret, `{"alg":1,"typ":"","claims":{}}`), refusal.ErrMalformedToken},
		{"nothing of the token's type", secret, "t1", encrypt(t, secret, `{"alg":"ES256","claims":{}}`), refusal.ErrMalformedToken},
		{"no object", secret, "t1", encrypt(t, secret, `[]`), refusal.ErrMalformedToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, got, err := ticket.Open(tt.secret, tt.id, tt.sealed)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Open() error = %v, want %v", err, tt.want)
			}
			if err == nil && (got != payload || o.Algorithm != "ES256" || o.KeyID == nil || *o.KeyID != "k" || o.Key != "thumb") {
				t.Errorf("Open() = %+v, %s, want what was sealed", o, got)
			}
			if err != nil && got != "" {
				t.Errorf("Open() = %q beside an error", got)
			}
		})
	}
	if _, err := ticket.Seal(secret, "t1", ticket.Original{}, `{"a":1,"a":2}`); !errors.Is(err, refusal.ErrMalformedToken) {
		t.Errorf("Seal() of a payload that says a thing twice: error = %v, want %v", err, refusal.ErrMalformedToken)
	}
}

func encrypt(t *testing.T, secret []byte, content string) string {
	t.Helper()
	sealed, err := ticket.Encrypt(secret, "t1", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestPlace(t *testing.T) {
	t.Parallel()
	from := func(origins ...string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Origin"] = origins
		return r
	}
	for _, tt := range []struct {
		name     string
		request  *http.Request
		database string
		origin   string
		want     error
	}{
		{"a page", from("https://app.test"), "chat", "https://app.test", nil},
		{"a program", from(), "chat", "", nil},
		{"the longest origin", from("https://" + strings.Repeat("x", 504)), "chat", "https://" + strings.Repeat("x", 504), nil},
		{"an origin that is too long", from("https://" + strings.Repeat("x", 505)), "chat", "", refusal.ErrMalformedRequest},
		{"the last letter of ASCII", from("https://~.test"), "chat", "https://~.test", nil},
		{"a control character behind it", from("https://\x7f.test"), "chat", "", refusal.ErrMalformedRequest},
		{"the longest name", from(), strings.Repeat("x", 256), "", nil},
		{"no request", nil, "chat", "", refusal.ErrMalformedRequest},
		{"no database", from(), "", "", refusal.ErrMalformedRequest},
		{"a name that is too long", from(), strings.Repeat("x", 257), "", refusal.ErrMalformedRequest},
		{"a name that is no text", from(), "\xff", "", refusal.ErrMalformedRequest},
		{"two headers", from("https://a.test", "https://b.test"), "chat", "", refusal.ErrMalformedRequest},
		{"a list", from("https://a.test, https://b.test"), "chat", "", refusal.ErrMalformedRequest},
		{"a page without origin", from("null"), "chat", "", refusal.ErrOrigin},
		{"an empty header", from(""), "chat", "", refusal.ErrMalformedRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if origin, err := ticket.Place(tt.request, tt.database); origin != tt.origin || !errors.Is(err, tt.want) {
				t.Errorf("Place() = %q, %v, want %q, %v", origin, err, tt.origin, tt.want)
			}
		})
	}
}

// An Authority knows how old its own tickets are, and nothing of others'.
func TestAuthority_Age(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, other := ticket.NewAuthority(nil, nil), ticket.NewAuthority(nil, nil)
		time.Sleep(time.Hour)
		var o ticket.Original
		a.Stamp(&o)
		time.Sleep(30 * time.Second)
		if age, known := a.Age(&o); !known || age != 30*time.Second {
			t.Errorf("Age() = %v, %t, want 30s", age, known)
		}
		if age, known := other.Age(&o); known || age != 0 {
			t.Errorf("Age() of another process's = %v, %t, want it not known", age, known)
		}
		if age, known := a.Age(new(ticket.Original)); known || age != 0 {
			t.Errorf("Age() of one that says nothing = %v, %t, want it not known", age, known)
		}
	})
}

// Secrets are not shown by printing who has them.
func TestAuthority_Printed(t *testing.T) {
	t.Parallel()
	secret := "a secret of thirty-two bytes, or so"
	a := ticket.NewAuthority(func(string) ([]byte, bool) { return []byte(secret), true }, nil)
	if got, signs := a.Secret("k"); string(got) != secret || !signs {
		t.Fatalf("Secret() = %q, %t", got, signs)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, a); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s shows the secret: %s", verb, text)
		}
	}
	var none *ticket.Authority
	if got, signs := none.Secret("k"); got != nil || signs {
		t.Errorf("Secret() of none = %q, %t, want nothing", got, signs)
	}
}

// A ticket is used once, by its own age or, where that is not known, by a clock
// that may be set back.
func TestAuthority_Use(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := ticket.NewAuthority(nil, nil)
		use := func(id string, expiry, now time.Time, known bool, want error) {
			t.Helper()
			if err := a.Use(id, expiry, now, known); !errors.Is(err, want) {
				t.Errorf("Use(%s) error = %v, want %v", id, err, want)
			}
		}
		began := time.Now()
		expiry := began.Add(ticket.MaxLifetime)
		use("t1", expiry, began, false, nil)
		use("t1", expiry, began, false, refusal.ErrTicketUsed)
		use("t2", expiry, began, true, nil)
		time.Sleep(11 * time.Minute)
		use("t3", time.Now().Add(ticket.MaxLifetime), time.Now(), false, nil) // which drops the first two
		// The clock is set back: nobody knows any more of a ticket of then.
		use("t1", expiry, began, false, refusal.ErrRevocationsUnavailable)
		use("t4", expiry, began, true, nil)
		use("t5", expiry.Add(time.Second), began, false, nil)
	})
}

// A used ticket is remembered for ten minutes, and not for longer.
func TestAuthority_Remembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, began := ticket.NewAuthority(nil, nil), time.Now()
		expiry := began.Add(ticket.MaxLifetime)
		for _, tt := range []struct {
			after time.Duration
			want  error
		}{
			{0, nil},
			{9*time.Minute - time.Second, refusal.ErrTicketUsed},
			{10*time.Minute - time.Second, refusal.ErrTicketUsed},
			{11*time.Minute - time.Second, refusal.ErrRevocationsUnavailable},
		} {
			time.Sleep(time.Until(began.Add(tt.after)))
			if err := a.Use("t1", expiry, time.Now(), false); !errors.Is(err, tt.want) {
				t.Errorf("Use() after %v: error = %v, want %v", tt.after, err, tt.want)
			}
		}
	})
}

// Where there is no place to remember another ticket, it is refused until those
// before it are long over.
func TestAuthority_Full(t *testing.T) {
	t.Parallel()
	const most = 1 << 18
	synctest.Test(t, func(t *testing.T) {
		a := ticket.NewAuthority(nil, nil)
		now := time.Now()
		for n := range most {
			if err := a.Use(fmt.Sprint(n), now.Add(ticket.MaxLifetime), now, true); err != nil {
				t.Fatal(err)
			}
		}
		// Looking for those that are over costs as much as there are: once a second, and
		// the last time was half a second before they were.
		for _, wait := range []time.Duration{0, time.Second, 118500 * time.Millisecond, 500 * time.Millisecond} {
			time.Sleep(wait)
			now := time.Now()
			if err := a.Use("another", now.Add(ticket.MaxLifetime), now, true); !errors.Is(err, refusal.ErrRevocationsUnavailable) {
				t.Errorf("Use() of one too many, %v later: error = %v, want %v", wait, err, refusal.ErrRevocationsUnavailable)
			}
		}
		time.Sleep(500 * time.Millisecond)
		now = time.Now()
		if err := a.Use("another", now.Add(ticket.MaxLifetime), now, true); err != nil {
			t.Errorf("Use() when the others are over: error = %v", err)
		}
	})
}
