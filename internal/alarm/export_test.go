package alarm

// Instants returns for how many instants alarms are set.
func (c *Clock[T]) Instants() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.groups)
}
