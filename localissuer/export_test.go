package localissuer

import "time"

// AgeKeyDirectory makes it so much longer ago that the key directory was read.
func AgeKeyDirectory(l *Issuer, d time.Duration) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.lastRead = l.lastRead.Add(-d)
}
