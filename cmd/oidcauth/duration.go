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
