package claims

import "strings"

// SPIFFE begins the name of a trust domain, and the IDs of its workloads (SPIFFE-ID,
// section 2).
const SPIFFE = "spiffe://"

// trustDomain returns who has to vouch for a token that names no issuer: a JWT-SVID
// need not (JWT-SVID, section 3), since its subject names the trust domain.
func (r *Reader) trustDomain() (string, bool) {
	m, found := r.Member("sub")
	if !found {
		return "", false
	}
	id, err := m.Text()
	if err != nil {
		return "", false
	}
	return TrustDomain(id)
}

// TrustDomain returns the name of the trust domain that a workload's SPIFFE ID is
// in, "spiffe://example.org", and whether it is such an ID.
func TrustDomain(id string) (string, bool) {
	rest, ok := strings.CutPrefix(id, SPIFFE)
	name, path, hasPath := strings.Cut(rest, "/")
	if !ok || !hasPath || len(id) > MaxSubjectBytes || !IsTrustDomain(SPIFFE+name) {
		return "", false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || !consistsOf(segment, isPathByte) {
			return "", false
		}
	}
	return id[:len(SPIFFE)+len(name)], true
}

// IsTrustDomain reports whether name is that of a trust domain (SPIFFE-ID, section
// 2.1).
func IsTrustDomain(name string) bool {
	rest, ok := strings.CutPrefix(name, SPIFFE)
	return ok && rest != "" && len(rest) <= 255 && consistsOf(rest, isDomainByte)
}

func consistsOf(text string, allowed func(byte) bool) bool {
	for i := range len(text) {
		if !allowed(text[i]) {
			return false
		}
	}
	return true
}

func isDomainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}

func isPathByte(c byte) bool { return isDomainByte(c) || 'A' <= c && c <= 'Z' }
