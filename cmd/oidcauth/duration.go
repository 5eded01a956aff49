package main

import (
	"fmt"
	"time"
)

// A duration is a setting that is written like "30s". Whether it is there at all
// matters where zero is not the default.
type duration struct {
	value time.Duration
	given bool
}

// UnmarshalText reads it from a configuration file.
func (d *duration) UnmarshalText(text []byte) error {
	value, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("got %q: want a duration such as 30s", text)
	case value < 0:
		return fmt.Errorf("got %q: must not be negative", text)
	case value > 0 && value < time.Millisecond:
		return fmt.Errorf("got %q: want a millisecond at least", text)
	}
	*d = duration{value, true}
	return nil
}

// Want says what it is in a file.
func (*duration) Want() string { return `a text such as "30s"` }

// or returns it, or what counts without it.
func (d duration) or(otherwise time.Duration) time.Duration {
	if d.given {
		return d.value
	}
	return otherwise
}

// A positive is a duration that cannot be none: left out, something else counts, and whoever
// writes "0s" means another thing than that.
type positive struct{ duration }

// UnmarshalText reads it from a configuration file.
func (p *positive) UnmarshalText(text []byte) error {
	if err := p.duration.UnmarshalText(text); err != nil {
		return err
	}
	if p.value == 0 {
		return fmt.Errorf("got %q: want more than none; leave it out for what counts without it", text)
	}
	return nil
}
