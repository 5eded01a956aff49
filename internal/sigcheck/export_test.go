package sigcheck

// RecoverEncoded is what a signature holds, or nil.
func (k *RSA) RecoverEncoded(signature []byte) []byte {
	encoded, ok := k.recoverEncoded(nil, signature)
	if !ok {
		return nil
	}
	return encoded
}
