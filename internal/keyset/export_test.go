package keyset

// WithRandom returns cfg with its jitter drawn from random.
func WithRandom(cfg Config, random func() float64) Config {
	cfg.random = random
	return cfg
}

// CoolDownTime is how long unknown key IDs are refused after a vain fetch.
const CoolDownTime = coolDownTime

// Confirm does what the end of a fetch does whose answer was 304.
func Confirm(s *Set) {
	s.finish(&flight{done: make(chan struct{})}, answer{notModified: true}, nil)
}
