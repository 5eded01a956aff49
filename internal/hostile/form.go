package hostile

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// formRows are good tokens that were written down differently.
func formRows(t testing.TB, w *World) []Row {
	good := w.WithClaims(Claims(URL))
	header, payload, signature := Parts(good)
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	rows := []struct{ name, token string }{
		{"nothing", ""},
		{"a dot", "."},
		{"two dots", ".."},
		{"three dots", "..."},
		{"four dots", "...."},
		{"1 MiB of dots", strings.Repeat(".", 1<<20)},
		{"16 KiB of dots", strings.Repeat(".", 16<<10)},
		{"1 MiB of letters", strings.Repeat("A", 1<<20)},
		{"an opaque token", "2YotnFZFEjr1zCsicMWpAA"},
		{"header alone", header},
		{"no signature part", join(header, payload)},
		{"empty signature", join(header, payload, "")},
		{"empty payload", join(header, "", signature)},
		{"detached payload", header + ".." + signature},
		{"empty header", join("", payload, signature)},
		{"four parts", join(header, payload, signature, signature)},
		{"encrypted, five parts", join(header, payload, payload, payload, signature)},
		{"encrypted around an unsigned token", join(Encode(`{"alg":"dir","enc":"A128GCM","cty":"JWT"}`), "", Encode("iv"), Encode(join(Encode(`{"alg":"none"}`), payload, "")), Encode("tag"))},
		{"encrypted with a password", join(Encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`), "AA", "AA", "AA", "AA")},
		{"six parts", join(header, payload, signature, "AA", "AA", "AA")},
		{"a dot behind", good + "."},
		{"a dot before", "." + good},
		{"two tokens", good + "." + good},
		{"flattened JSON serialization", `{"protected":"` + header + `","payload":"` + payload + `","signature":"` + signature + `"}`},
		{"general JSON serialization", `{"payload":"` + payload + `","signatures":[{"protected":"` + header + `","signature":"` + signature + `"}]}`},
		{"JSON serialization without signatures", `{"payload":"` + payload + `","signatures":[]}`},
		{"JSON serialization of null", "null"},
		{"a JSON string", `"` + good + `"`},
		{"scheme before", "Bearer " + good},
		{"space before", " " + good},
		{"space behind", good + " "},
		{"line end behind", good + "\n"},
		{"carriage return and line end behind", good + "\r\n"},
		{"tab before", "\t" + good},
		{"no-break space behind", good + "\u00a0"},
		{"byte order mark before", "\ufeff" + good},
		{"zero byte behind", good + "\x00"},
		{"line end in the header", join(header[:4]+"\n"+header[4:], payload, signature)},
		{"line end in the payload", join(header, payload[:4]+"\r"+payload[4:], signature)},
		{"line end in the signature", join(header, payload, signature[:4]+"\n"+signature[4:])},
		{"four line ends in the signature", join(header, payload, signature[:4]+"\n\n\n\n"+signature[4:])},
		{"space in the payload", join(header, payload[:8]+" "+payload[8:], signature)},
		{"space at a dot", header + " ." + payload + "." + signature},
		{"line end at a dot", header + ".\n" + payload + "." + signature},
		{"padded header", join(header+"=", payload, signature)},
		{"padded payload", join(header, payload+"==", signature)},
		{"padded signature", join(header, payload, signature+"==")},
		{"escaped padding", join(header, payload, signature+"%3D%3D")},
		{"plus in the signature", join(header, payload, "+"+signature[1:])},
		{"slash in the signature", join(header, payload, "/"+signature[1:])},
		{"a character more in the signature", join(header, payload, signature+"AAA")},
		{"trailing bits in the signature", join(header, payload, nextDigit(signature))},
		{"percent in the payload", join(header, "%"+payload[1:], signature)},
		{"a letter beyond ASCII", join(header, "é"+payload[1:], signature)},
		{"payload not encoded", join(header, Claims(URL).String(), signature)},
		{"header not encoded", join(Header(w.Key()).String(), payload, signature)},
		{"payload encoded twice", join(header, Encode(payload), signature)},
	}
	var all []Row
	for _, row := range rows {
		all = append(all, w.Row("form: "+row.name, oidcauth.ErrMalformedToken, row.token, good))
	}
	return append(all, trailingBits(w), tooLarge(w))
}

// nextDigit replaces the last digit of base64url by the next one. Behind a
// signature of 64 bytes that changes bits that stand for nothing.
func nextDigit(text string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, text[len(text)-1])
	return text[:len(text)-1] + digits[last+1:last+2]
}

// trailingBits gives a payload its second spelling, in which a decoder that
// ignores trailing bits finds the same claims.
func trailingBits(w *World) Row {
	spaces := ""
	for len(Claims(URL).String()+spaces)%3 != 1 {
		spaces += " "
	}
	payload := Claims(URL).String() + spaces
	good := w.Key().Sign(nil, payload)
	header, text, signature := Parts(good)
	return w.Row("form: trailing bits in the payload", oidcauth.ErrMalformedToken, header+"."+nextDigit(text)+"."+signature, good)
}

// tooLarge is one byte longer than the limit, and its twin just as long as it.
func tooLarge(w *World) Row {
	const limit = 16 << 10
	return w.Row("form: larger than 16 KiB", oidcauth.ErrMalformedToken, w.OfLength(limit+1), w.OfLength(limit))
}

// OfLength returns a good token of exactly that length. Base64 has no length of
// every remainder, so the header grows where the payload cannot.
func (w *World) OfLength(length int) string {
	for grown := range 4 {
		header := Header(w.Key()).With("x", `"`+strings.Repeat("x", grown)+`"`)
		pad := (length - len(Sign(w.Key(), header, Claims(URL)))) * 3 / 4
		for pad -= 16; ; pad++ {
			tok := Sign(w.Key(), header, Claims(URL).With("x", `"`+strings.Repeat("x", pad)+`"`))
			if len(tok) == length {
				return tok
			}
			if len(tok) > length {
				break
			}
		}
	}
	w.t.Fatalf("no token of %d bytes", length)
	return ""
}
