package oidctest

// Visits returns how many requests are being answered.
func (i *Issuer) Visits() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.visits)
}

// Conns returns how many in-memory connections are open.
func (i *Issuer) Conns() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.conns)
}
