package proxied

import "errors"

// CheckMethod refuses a method that services may read differently: methods differ by
// case (RFC 9110, section 9.1), and there are servers and frameworks that put them in
// capitals first. A rule for POST would not hold for "post", and the service serve it.
func CheckMethod(method string) error {
	for i := range len(method) {
		if 'a' <= method[i] && method[i] <= 'z' {
			return errors.New("its letters are not all capitals")
		}
	}
	return nil
}
