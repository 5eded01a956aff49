package watch

// Chunks returns for how many events there is room in each piece of memory.
func (w *Watch) Chunks() (room []int) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	for _, chunk := range w.queue.chunks {
		room = append(room, cap(chunk))
	}
	return room
}

// IssuersWithKeys returns of how many issuers there are keys in a state.
func (w *Watch) IssuersWithKeys() int {
	w.states.mu.Lock()
	defer w.states.mu.Unlock()
	return len(w.states.issuers)
}
