package revoked

// Len returns the number of revocations kept, those that are over included.
func (l *List) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.byEnd)
}
