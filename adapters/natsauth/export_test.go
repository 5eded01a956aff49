package natsauth

import "time"

// SetLateness makes entries expire sooner after the end of their revocation.
func (l *Log) SetLateness(d time.Duration) { l.lateness = d }

// Encode gives tests the entry of a revocation.
var Encode = encode

// Expiry gives tests how an entry expires.
var Expiry = expiry

// HasQuorum gives tests the judgement of a bucket's servers.
var HasQuorum = hasQuorum
