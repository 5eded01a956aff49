package oidcauth

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Kinds of things that are used once.
const (
	useTicket      = "ticket"
	useLogoutToken = "logout token"
)

const (
	// maxUses bounds the memory of what was used here.
	maxUses = 1 << 16

	// usesInterval is how often what is over is dropped, at most.
	usesInterval = time.Minute
)

// useID names something that is used once, by its kind, its issuer and the ID
// that the issuer gave it. Neither kinds nor issuers' names contain a zero byte.
func useID(kind, issuer, id string) [32]byte {
	return sha256.Sum256([]byte(kind + "\x00" + issuer + "\x00" + id))
}

// A useLedger remembers what was used in this process. The zero value is empty.
type useLedger struct {
	mu    sync.Mutex // guards what follows
	used  map[[32]byte]keeping
	swept time.Time
}

// first reports whether a thing was not used here before. When there are too many
// to remember, it counts as not used.
func (u *useLedger) first(id [32]byte, until, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, found := u.used[id]; found {
		return false
	}
	if mono := time.Now(); mono.Sub(u.swept) >= usesInterval {
		u.swept = mono
		for id, k := range u.used {
			if k.over(now, mono) {
				delete(u.used, id)
			}
		}
	}
	if u.used == nil {
		u.used = make(map[[32]byte]keeping)
	}
	if len(u.used) < maxUses {
		u.used[id] = keepUntil(until, now)
	}
	return true
}

// useLogout refuses a logout token that was used before. That is what the
// specification wants, and no more than that: the logout itself can be repeated.
// So a mark that cannot be stored refuses nothing.
func (a *Authenticator) useLogout(ctx context.Context, l *logout) error {
	// No server's configuration is part of the mark, so that it is the same on all.
	id, until := useID(useLogoutToken, l.issuer, l.tokenID), l.issuedAt.Add(maxLogoutAge+2*maxLeeway)
	first := a.logouts.first(id, until, a.now())
	if first && a.follower != nil {
		var err error
		first, err = a.follower.log.FirstUse(ctx, id, until)
		if err != nil {
			a.logger.LogAttrs(ctx, slog.LevelWarn, "logout token not marked as used", slog.String("error", err.Error()))
			return nil
		}
	}
	if !first {
		return refusal.New(refusal.Logout, ErrMalformedRequest, "logout token "+refusal.Quote(l.tokenID)+" again", "one that was not used before")
	}
	return nil
}
