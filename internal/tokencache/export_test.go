package tokencache

// MaxChain is how many tokens with one hash are held.
const MaxChain = maxChain

// GetHashed is Get for a token whose hash is chosen by the test.
func (c *Cache[V]) GetHashed(hash uint64, token string) (*V, bool) {
	return c.get(hash, token)
}

// PutHashed is Put for a token whose hash is chosen by the test.
func (c *Cache[V]) PutHashed(hash uint64, token string, v *V) {
	c.put(hash, token, v, 8, c.now().Add(hour), hash)
}

// Check returns what is wrong with the books of c, "" if nothing is.
func (c *Cache[V]) Check() string {
	for i := range c.shards {
		if s := c.shards[i].check(); s != "" {
			return s
		}
	}
	return ""
}
