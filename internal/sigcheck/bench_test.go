package sigcheck_test

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"testing"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// BenchmarkVerify compares a prepared key with the standard library, digest in hand.
func BenchmarkVerify(b *testing.B) {
	digest := digestOf(crypto.SHA256, []byte("message"))
	for _, bits := range []int{2048, 3072, 4096} {
		s := newSigner(b, bits, 65537, 1)
		key := s.prepared(b)
		first := s.sign(pkcs1(s.public.Size(), digestInfo[crypto.SHA256], digest))
		second := s.sign(goodPSS(crypto.SHA256, digest).encode(bits - 1))
		compare(b, fmt.Sprintf("PKCS1-%d", bits),
			func() bool { return key.VerifyPKCS1v15(crypto.SHA256, digest, first) },
			func() bool { return standardPKCS1(&s.public, crypto.SHA256, digest, first) })
		compare(b, fmt.Sprintf("PSS-%d", bits),
			func() bool { return key.VerifyPSS(crypto.SHA256, digest, second) },
			func() bool { return standardPSS(&s.public, crypto.SHA256, digest, second) })
	}
	public, private := testEd25519(b)
	key, err := sigcheck.NewEd25519(public)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 800)
	signature := ed25519.Sign(private, message)
	compare(b, "Ed25519",
		func() bool { return key.Verify(message, signature) },
		func() bool { return ed25519.Verify(public, message, signature) })
}

func compare(b *testing.B, name string, prepared, standard func() bool) {
	for way, check := range map[string]func() bool{"prepared": prepared, "standard": standard} {
		b.Run(name+"/"+way, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !check() {
					b.Fatal("not verified")
				}
			}
		})
	}
}
