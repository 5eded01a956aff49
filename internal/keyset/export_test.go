package keyset

// WithRandom returns cfg with its jitter drawn from random.
func WithRandom(cfg Config, random func() float64) Config {
	cfg.random = random
	return cfg
}

// CoolDownTime is how long unknown key IDs are refused after a vain fetch.
const CoolDownTime = coolDownTime
