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
	answered, load := make(chan struct{}), l.watcher.load
	OnLoad(l, func() (keyring.Ring, error) {
		<-answered
		return load()
	})
	return func() { close(answered) }
}

// DelayKeyDirectory has what is read of the key directory arrive when something is sent,
// and at once when the channel is closed. The issuer must not be reading it.
func DelayKeyDirectory(l *Issuer) (arrive chan struct{}) {
	load := l.watcher.load
	arrive = make(chan struct{})
	OnLoad(l, func() (keyring.Ring, error) {
		ring, err := load()
		<-arrive
		return ring, err
	})
	return arrive
}

// OnLoad has somebody else read the key directory.
func OnLoad(l *Issuer, load func() (keyring.Ring, error)) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.watcher.load = load
}

// SlowKeyDirectory has the key directory answer after so long. The issuer must not be
// reading it.
func SlowKeyDirectory(l *Issuer, d time.Duration) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.watcher.stat = func() keyring.Stat {
		time.Sleep(d)
		return l.dir.Stat()
	}
}

// PollKeyDirectory has the timer of the watch go off.
func PollKeyDirectory(l *Issuer) { l.poll() }
