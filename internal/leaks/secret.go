package main

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"slices"
)

// A leak is a secret, or a part of one, that stands in a text.
type leak struct {
	kind  string // as "token"
	text  string
	whole string // of which text is an end; empty if that is all that is known
}

// What is secret and is no token is known by its form, if it has one.
var secretForms = []struct {
	kind string
	hint [][]byte // of which one stands in every text that has such a secret
	form *regexp.Regexp
}{
	// The first line of PEM, and of a seed of NATS.
	{"private key", hints("-----BEGIN "), regexp.MustCompile(`-----BEGIN (?:[A-Z0-9]+ )*(?:PRIVATE KEY|SEED)-----`)},
	{"private key", hints("S"), regexp.MustCompile(`\bS[ACNOUX][A-Z2-7]{56}\b`)},
	// How the base64 of DER begins: PKCS #8 of elliptic curves, of RSA and of Ed25519,
	// PKCS #1, and SEC 1 for P-256, P-384 and P-521.
	{"private key", hints("MI", "MC4CAQAw", "MHcCAQEE"), regexp.MustCompile(`\bM(?:I[GH].AgEAM[BC].GByqGSM49|I[A-Za-z0-9+/_-]{4}IBADANBgkqhkiG9w0BAQ|C4CAQAwBQYDK2VwBCIEI|I[A-Za-z0-9+/_-]{4}IBAAKC|HcCAQEEI|IG.AgEBBD|IH.AgEBBE)[A-Za-z0-9+/_-]{16}`)},
	// Private members of a JWK (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
	{"private key", hints(`d"`, `d\"`, `p"`, `p\"`, `q"`, `q\"`, `qi"`, `qi\"`, `k"`, `k\"`, `priv`), regexp.MustCompile(`"(?:d|p|q|dp|dq|qi|k|priv)\\*"\s*:\s*\\*"[A-Za-z0-9_-]{20,}`)},
	// A key as package fmt prints it.
	{"private key", hints("D:"), regexp.MustCompile(`\bD:\+?[0-9]{50,}`)},
	// Members of forms and of answers that have a secret (RFC 6749, RFC 7636, RFC 8628,
	// RFC 7521), and fields of that name.
	{"secret of OAuth", hints("secret", "Secret", "token", "Token", "verifier", "Verifier", "device", "Device", "assertion", "assword"), regexp.MustCompile(
		`\b(?:client_?secret|ticket_?secret|refresh_?token|access_?token|id_?token|code_?verifier|device_?code|client_assertion|password|(?i:Client_?Secret|Ticket_?Secret|Refresh_?Token|Code_?Verifier|Device_?Code))(?:\\*"\s*:\s*\\*"|[:=]\\*"?|%3[Dd])[A-Za-z0-9._~+/%-]{12,}`)},
	{"authorization code", hints("code"), regexp.MustCompile(`[?&]code=[A-Za-z0-9._~%-]{10,}`)},
	// What stands behind its scheme in a header. That of Basic is looked into.
	{"credentials", hints("earer", "EARER", "pop", "POP", "PoP"), regexp.MustCompile(`(?i)\b(?:bearer|dpop)(?:(?: |%20|\+)+[A-Za-z0-9._~+/-]{16,}=*)`)},
	{"credentials", hints("asic", "ASIC"), regexp.MustCompile(`(?i)\bbasic(?: |%20|\+)+[A-Za-z0-9+/_-]{8,}={0,2}`)},
}

func hints(of ...string) (hints [][]byte) {
	for _, hint := range of {
		hints = append(hints, []byte(hint))
	}
	return hints
}

// findSecrets finds what is no token.
func findSecrets(text []byte) (found []leak) {
	for _, s := range secretForms {
		if !slices.ContainsFunc(s.hint, func(hint []byte) bool { return bytes.Contains(text, hint) }) {
			continue
		}
		for _, m := range s.form.FindAll(text, -1) {
			if s.kind != "credentials" || isCredentials(m) {
				found = append(found, leak{kind: s.kind, text: string(m)})
			}
		}
	}
	return append(found, signatures(text)...)
}

// isCredentials reports whether what follows a scheme is no word of a sentence: it has
// a digit, or in base64 a name and a password.
func isCredentials(text []byte) bool {
	if bytes.EqualFold(text[:5], []byte("basic")) {
		user := decode(base64.RawStdEncoding, bytes.TrimLeft(text[5:], " +%20"))
		return bytes.IndexByte(user, ':') >= 0
	}
	return bytes.ContainsAny(text[5:], "0123456789")
}

// signatureLengths are how many characters the signatures of tokens have: of ES256 and
// EdDSA, ES384, ES512; of RSA with 1024, 2048, 3072 and 4096 bits; of ML-DSA.
var signatureLengths = []int{86, 128, 176, 171, 342, 512, 683, 3227, 4412, 6170}

// publicMember is how a member of a key begins that is public, and may be as long.
var publicMember = regexp.MustCompile(`"(?:n|x|y|pub)\\*"\s*:\s*\\*"$`)

// signatures finds what has the length of a token's signature, and characters as they
// come by chance.
func signatures(text []byte) (found []leak) {
	for i := 0; i < len(text); {
		if !inBase64Or(text[i]) {
			i++
			continue
		}
		end := i
		for end < len(text) && inBase64Or(text[end]) {
			end++
		}
		run := text[i:end]
		if slices.Contains(signatureLengths, len(run)) && !bytes.ContainsAny(run, "+/=%") && byChance(run) && !publicMember.Match(text[max(0, i-16):i]) {
			found = append(found, leak{kind: "signature", text: string(run)})
		}
		i = end
	}
	return found
}

// inBase64Or reports whether a character is one of base64 in either form, or escaped.
func inBase64Or(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' ||
		c == '-' || c == '_' || c == '+' || c == '/' || c == '=' || c == '%'
}

// byChance reports whether a text has capitals, small letters and digits, as one of a
// million of 86 characters of base64 has not.
func byChance(text []byte) bool {
	var capitals, small, digits int
	for _, c := range text {
		switch {
		case c >= 'A' && c <= 'Z':
			capitals++
		case c >= 'a' && c <= 'z':
			small++
		case c >= '0' && c <= '9':
			digits++
		}
	}
	n := len(text)
	return capitals > n/8 && small > n/8 && digits > 0
}
