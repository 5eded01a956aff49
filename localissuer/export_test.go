package localissuer

import (
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// AgeKeyDirectory makes it so much longer ago that the key directory was read.
func AgeKeyDirectory(l *Issuer, d time.Duration) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.lastRead = l.lastRead.Add(-d)
}

// SilenceKeyDirectory has the key directory answer nothing until answer is called. The
// issuer must not be reading it.
func SilenceKeyDirectory(l *Issuer) (answer func()) {
	answered, load := make(chan struct{}), l.load
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.load = func() (keyring.Ring, error) {
		<-answered
		return load()
	}
	return func() { close(answered) }
}
