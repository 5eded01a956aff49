package jws

// AdoptPrepared does what [Key.PrepareBytes] does, with another key's prepared form.
func (k *Key) AdoptPrepared(other *Key, alg string, signed, signature []byte) error {
	a, _ := findAlgorithm(alg)
	p, err := other.prepare()
	if err != nil {
		return err
	}
	return k.adopt(p, a, signed, signature)
}

// Agree is agree.
var Agree = agree
