package localissuer

import (
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// Config says what an [Issuer] is like.
type Config struct {
	// URL is the issuer's name, the "iss" of its tokens: any name of 1 to 512
	// bytes without "|", often a bare word. It is part of every identity, and a
	// directory belongs to one name. Empty means the name that Dir belongs to;
	// then nothing is created, and without keys the error wraps [io/fs.ErrNotExist].
	URL string

	// Dir is the directory that keeps the keys, private ones included. It is
	// created, open to the process's user alone, if it does not exist; one that
	// exists must have mode 0700. It gets keys if it is empty. Processes on one
	// machine, or with a shared file system that has locks, may share it.
	//
	// An older copy that is put back is brought up to date by the first process
	// that has known the directory since: keys that were removed stay removed. A
	// process that cannot write there, or finds other keys, signs nothing with a
	// key that is not in the directory. The keys in memory serve for 24 hours
	// while the directory cannot be read, does not answer within ten seconds, or is not
	// what it was, and a token under another key is one of which nobody knows
	// ([oidcauth.ErrKeysUnavailable]); then nothing is issued and no token of the issuer
	// is accepted until it is.
	Dir string

	// ReadOnly reads the keys of Dir once, for a program that looks at them, or verifies a
	// token as a server with this configuration would: nothing is written there, no later
	// change is noticed, and whatever would issue a token or change the keys returns an
	// error. A Dir without keys is one that wraps [io/fs.ErrNotExist]. It is for Dir alone.
	ReadOnly bool

	// Signer signs instead of keys in Dir, from a KMS or HSM for instance: an
	// ECDSA key on the curve P-256. Exactly one of Dir and Signer is required. It is
	// called by several goroutines at once, and each signature is verified before it
	// is handed out: one that fails, panics or returns something else issues nothing
	// ([oidcauth.ErrKeysUnavailable]).
	Signer crypto.Signer

	// RetiredKeys are public keys, eight at most, whose tokens are accepted beside those of
	// Signer. Where several servers change to another Signer, one after the other, its key
	// belongs here first, at all of them: each accepts what the others issue then, and
	// whoever keeps the published keys knows it. Tickets that one of them sells are good at
	// those with the same Signer. With Dir, see [Issuer.Import] instead.
	RetiredKeys []crypto.PublicKey

	// TicketSecret is what the processes that share Signer seal the content of
	// tickets with: at least 32 random bytes, the same for all. Empty means that
	// a ticket is good in the process alone that sold it. With Dir it must be
	// empty: there the secret comes from the keys. Whoever has the secret reads out
	// of a ticket what its bearer's token says and, if package spacetime sold it for
	// a token of this issuer, the token.
	TicketSecret []byte

	// Audiences are for whom tokens are issued, this server above all. One at
	// least is required.
	Audiences []string

	// ImportedAudiences are for whom tokens are that imported keys have signed, where
	// that is none of Audiences: "spacetimedb" alone, for those of a SpacetimeDB
	// server. They are accepted beside Audiences, by the description that
	// [Issuer.Issuer] returns, and no token is issued for them. Empty means none, and
	// [oidcauth.ErrAudience] for such tokens.
	ImportedAudiences []string

	// Lifetime is that of tokens whose request names none, a second at least. Zero means
	// 24 hours, or MaxLifetime if that is less.
	Lifetime time.Duration

	// MaxLifetime bounds the lifetime of every token, and so says how long a
	// retired key is kept: for a day more, in which a process that cannot read Dir
	// may sign with it. Zero means the same as Lifetime.
	MaxLifetime time.Duration

	// NoExpiry permits tokens that never expire: [Issuer.Issue] makes them when
	// asked to, and tokens without expiry, or with null for it, are accepted. Only
	// a revocation or the removal of its key ends such a token.
	NoExpiry bool

	// Logger receives a line for each change of the keys, here or by another process that
	// shares Dir, for new keys in a Dir that had none, for each series of failures to read
	// Dir, and when that was put right. Nil means no logging.
	Logger *slog.Logger

	// Now is the clock that tokens are issued by. Nil means [time.Now].
	Now func() time.Time
}

// Format prints the configuration without TicketSecret and Signer, whatever the verb.
func (cfg Config) Format(f fmt.State, verb rune) {
	type config Config // without this method
	cfg.TicketSecret, cfg.Signer = nil, nil
	fmt.Fprintf(f, fmt.FormatString(f, verb), config(cfg))
}

// validate reports the first contradiction in the configuration.
func (cfg *Config) validate() error {
	if (cfg.Dir == "") == (cfg.Signer == nil) {
		return errors.New("localissuer: Config: want exactly one of Dir and Signer")
	}
	if cfg.ReadOnly && cfg.Dir == "" {
		return errors.New("localissuer: Config.ReadOnly: got it with Signer, want Dir")
	}
	if cfg.Dir != "" && len(cfg.RetiredKeys) > 0 {
		return errors.New("localissuer: Config.RetiredKeys: with Dir, use Issuer.Import")
	}
	if n := len(cfg.TicketSecret); n > 0 && (cfg.Signer == nil || n < ticket.MinSecret) {
		return fmt.Errorf("localissuer: Config.TicketSecret: got %d bytes, want %d or more with Signer, and none with Dir", n, ticket.MinSecret)
	}
	if cfg.URL != "" || cfg.Dir == "" {
		if err := policy.CheckIssuerName(cfg.URL); err != nil {
			return fmt.Errorf("localissuer: Config.URL: %w", err)
		}
	}
	if len(cfg.Audiences) == 0 || slices.Contains(cfg.Audiences, "") {
		return errors.New("localissuer: Config.Audiences: want one at least, and none that is empty")
	}
	if slices.Contains(cfg.ImportedAudiences, "") {
		return errors.New("localissuer: Config.ImportedAudiences: want none that is empty")
	}
	for _, lifetime := range []time.Duration{cfg.Lifetime, cfg.MaxLifetime} {
		if lifetime == 0 {
			continue
		}
		if err := checkLifetime(lifetime); err != nil {
			return fmt.Errorf("localissuer: Config: Lifetime or MaxLifetime: %w", err)
		}
	}
	if cfg.Lifetime < 0 || cfg.MaxLifetime < 0 || cfg.MaxLifetime > 0 && cfg.Lifetime > cfg.MaxLifetime {
		return fmt.Errorf("localissuer: Config: got Lifetime %v and MaxLifetime %v, want neither negative nor the first above the second", cfg.Lifetime, cfg.MaxLifetime)
	}
	return nil
}

// checkLifetime refuses lifetimes that are over at once: tokens say in seconds when they
// expire.
func checkLifetime(d time.Duration) error {
	if err := policy.CheckDuration(d); err != nil {
		return err
	}
	if d < time.Second {
		return fmt.Errorf("got %v, want a second at least", d)
	}
	return nil
}
