package keyset

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// foreignKeys says what to do where the issuer's document names a host for the keys
// that cannot be reached from here: often a name that only the issuer's own network
// knows. It is empty for whatever else went wrong.
func (s *Set) foreignKeys(at string, err error) string {
	var network *net.OpError
	var lookup *net.DNSError
	if s.cfg.JWKSURL != "" || !errors.As(err, &network) && !errors.As(err, &lookup) {
		return ""
	}
	from := s.cfg.DiscoveryURL
	if from == "" {
		from = s.cfg.Issuer
	}
	keys := hostOf(at)
	if strings.EqualFold(keys, hostOf(from)) {
		return ""
	}
	return "; the discovery document names the host " + quote.Value(keys) + ": if this server cannot reach that, set JWKSURL to where it reaches the keys"
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
