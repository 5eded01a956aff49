package idp

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Lifetime is how long a token is valid: longer than any measurement takes.
const Lifetime = 12 * time.Hour

// Header returns the header of a token by the present key of an algorithm.
func (i *Issuer) Header(algorithm string) string {
	return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, algorithm, i.Key(algorithm).KeyID)
}

// Payload returns the claims of user n: what an access token of a usual
// provider holds.
func (i *Issuer) Payload(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"iss":%q,"sub":"4f7d1c52-9a3e-4b60-8f0e-%012d","aud":[%q]`, i.URL, n, Audience)
	fmt.Fprintf(&b, `,"exp":%d,"nbf":%d,"iat":%d`,
		i.started.Add(Lifetime).Unix(), i.started.Add(-time.Minute).Unix(), i.started.Add(-time.Minute).Unix())
	fmt.Fprintf(&b, `,"jti":"%08x-0d5b-4ab1-a5d8-7c1de6a0f3b2","azp":"chat-web"`, n)
	fmt.Fprintf(&b, `,"scope":"openid profile email db:read"`)
	fmt.Fprintf(&b, `,"email":"user%06d@example.com","name":"Ada Lovelace"`, n)
	b.WriteString(`,"roles":["member","moderator"]}`)
	return b.String()
}

// Token returns the token of user n. It panics when it cannot sign, which is
// a fault of this package.
func (i *Issuer) Token(algorithm string, n int) string {
	return must(i.Key(algorithm).Sign(i.Header(algorithm), i.Payload(n)))
}

// Tokens returns the tokens of count users. To sign with RSA takes long, so
// every core does a part.
func (i *Issuer) Tokens(algorithm string, count int) []string {
	tokens, workers := make([]string, count), runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for n := worker; n < count; n += workers {
				tokens[n] = i.Token(algorithm, n)
			}
		})
	}
	wg.Wait()
	return tokens
}

// LongToken returns a token of user n with the claims and about the length of
// an RS256 token. It is signed with EdDSA, which is quick; a header that means
// nothing makes up for the shorter signature.
func (i *Issuer) LongToken(n int) string {
	const missing = 256 - 64 // bytes of signature
	header := strings.TrimSuffix(i.Header(EdDSA), "}") +
		`,"pad":"` + strings.Repeat(".", missing-len(`,"pad":""`)) + `"}`
	return must(i.Key(EdDSA).Sign(header, i.Payload(n)))
}

// Forged returns a token in the form of an RS256 token of the issuer, with a
// random key ID and a random signature.
func (i *Issuer) Forged() string {
	header := fmt.Sprintf(`{"alg":"RS256","kid":"%016x","typ":"JWT"}`, rand.Uint64())
	signature := make([]byte, 256)
	for n := range signature {
		signature[n] = byte(rand.Uint32())
	}
	return encode([]byte(header)) + "." + encode([]byte(i.Payload(0))) + "." + encode(signature)
}

func must(token string, err error) string {
	if err != nil {
		panic(err)
	}
	return token
}
