package simulation_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// localName is the local issuer's.
const localName = "localhost"

// noticed is how soon a process knows what another made of the key directory.
const noticed = 13 * time.Second

// What can be wrong with the file.
const (
	torn    = "is torn"
	missing = "is missing its file"
)

// A vault is the key directory that the servers share.
type vault struct {
	w       *world
	dir     string
	keys    map[string]*localKey
	copied  []byte    // an older copy of the file
	damaged string    // what is wrong with the file
	whole   []byte    // what belongs into it meanwhile
	changed time.Time // when it was last put right
	rotated time.Time
}

// A localKey is a key of the local issuer.
type localKey struct {
	removed   time.Time
	removedBy *node
	knows     map[*node]int // which process has it
}

func newVault(w *world, dir string) *vault {
	return &vault{w: w, dir: dir, keys: map[string]*localKey{}, changed: w.began.Add(-time.Hour), rotated: w.began.Add(-time.Hour)}
}

func (v *vault) file() string { return filepath.Join(v.dir, "keyring.json") }

// open begins the local issuer of a server. A directory without its file is an empty
// one, that gets new keys: nobody begins there until the file is back.
func (v *vault) open(n *node) *localissuer.Issuer {
	if v.damaged == missing {
		return nil
	}
	l, err := localissuer.New(localissuer.Config{URL: localName, Dir: v.dir, Audiences: []string{audience}, Now: n.now})
	if v.damaged != "" {
		v.w.note("%s opens the key directory, which %s: %v", n.name, v.damaged, err)
		if err == nil {
			v.w.fail(nil, "a key directory that %s was opened", v.damaged)
		}
		return nil
	}
	if err != nil {
		v.w.fail(nil, "%s does not open the key directory: %v", n.name, err)
	}
	n.local = l
	v.knows(n)
	return l
}

// knows notes which keys a server has. One that was removed comes back nowhere.
func (v *vault) knows(n *node) {
	for _, k := range n.local.Keys() {
		known := v.keys[k.ID]
		if known == nil {
			known = &localKey{knows: map[*node]int{}}
			v.keys[k.ID] = known
		}
		known.knows[n] = n.process
		if !known.removed.IsZero() && time.Since(known.removed) > noticed && !v.doubtful(n) {
			v.w.fail(nil, "%s has the key %s again, which was removed", n.name, k.ID)
		}
	}
}

// doubtful reports whether servers may differ about the directory.
func (v *vault) doubtful(*node) bool { return v.damaged != "" || time.Since(v.changed) < noticed }

// due is the check of the key, for a token of the local issuer.
func (v *vault) due(n *node, t *token) due {
	d := v.dueKey(n, v.keys[t.keyID])
	if t.tampered && d.accepts() {
		return d.and(only(oidcauth.ErrSignature))
	}
	return d
}

func (v *vault) dueKey(n *node, k *localKey) due {
	switch {
	case k == nil:
		return only(oidcauth.ErrUnknownKey)
	case !k.removed.IsZero() && (k.removedBy == n || time.Since(k.removed) > noticed && !v.doubtful(n)):
		return only(oidcauth.ErrUnknownKey)
	case !k.removed.IsZero():
		return only(nil, oidcauth.ErrUnknownKey)
	case v.doubtful(n) && k.knows[n] != n.process:
		return only(nil, oidcauth.ErrUnknownKey, oidcauth.ErrKeysUnavailable)
	}
	return only(nil)
}

// rotate changes the key that signs.
func (v *vault) rotate(n *node) {
	err := n.local.Rotate(v.w.t.Context())
	v.w.note("%s rotates the local keys: %v", n.name, err)
	if err != nil && !v.doubtful(n) {
		v.w.fail(nil, "Rotate() error = %v", err)
	}
	if err == nil {
		v.rotated = time.Now()
	}
	v.knows(n)
}

// remove ends trust in a key that signs no more.
func (v *vault) remove(n *node) {
	for _, k := range n.local.Keys() {
		if k.State != "retired" {
			continue
		}
		err := n.local.Remove(v.w.t.Context(), k.ID)
		v.w.note("%s removes the local key %s: %v", n.name, k.ID, err)
		if err == nil {
			v.keys[k.ID].removed, v.keys[k.ID].removedBy = time.Now(), n
		} else if !v.doubtful(n) && v.keys[k.ID].removed.IsZero() {
			v.w.fail(nil, "Remove() error = %v", err)
		}
		return
	}
}

// backUp keeps a copy, for restore.
func (v *vault) backUp() {
	if v.damaged == "" {
		v.copied, _ = os.ReadFile(v.file())
		v.w.note("the key directory is copied")
	}
}

// restore puts the older copy back, while somebody who knows better is there. A file
// that is replaced under a process is one of several seconds ago at least, or it
// cannot be told from that of before.
func (v *vault) restore() {
	if v.copied == nil || v.damaged != "" || v.w.localNode() == nil {
		return
	}
	v.w.note("an older copy of the key directory is put back")
	v.put(v.copied)
	v.changed = time.Now()
	time.Sleep(noticed + time.Second)
}

// damage has something be wrong with the file.
func (v *vault) damage() {
	if v.damaged != "" {
		return
	}
	whole, err := os.ReadFile(v.file())
	if err != nil {
		v.w.fail(nil, "the key directory cannot be read: %v", err)
	}
	v.whole = whole
	if v.w.chance(2) {
		v.damaged = torn
		v.put(whole[:min(v.w.random.IntN(len(whole)), len(whole)-2)]) // nobody misses the newline at the end
	} else {
		v.damaged = missing
		if err := os.Remove(v.file()); err != nil {
			v.w.fail(nil, "%v", err)
		}
	}
	v.w.note("the key directory %s", v.damaged)
}

// repair puts the file back as it was.
func (v *vault) repair() {
	if v.damaged == "" {
		return
	}
	v.put(v.whole)
	v.damaged, v.changed = "", time.Now()
	v.w.note("the key directory is whole again")
	time.Sleep(noticed + time.Second)
	for _, n := range v.w.nodes {
		if n.local == nil {
			n.restart()
		}
	}
}

// put replaces the file, as whoever restores a copy does.
func (v *vault) put(content []byte) {
	temporary := v.file() + ".restored"
	err := os.WriteFile(temporary, content, 0o600)
	if err == nil {
		err = os.Rename(temporary, v.file())
	}
	if err != nil {
		v.w.fail(nil, "%v", err)
	}
}

// localNode returns a server that has the local issuer, or nil.
func (w *world) localNode() *node {
	if w.vault == nil {
		return nil
	}
	for _, i := range w.random.Perm(len(w.nodes)) {
		if w.nodes[i].local != nil {
			return w.nodes[i]
		}
	}
	return nil
}

// parts are what a token of the local issuer's says, tickets included.
type parts struct {
	Kid, Sub string
	JTI      string
	Iat, Exp int64
}

func readParts(text string) (p parts) {
	for _, part := range strings.Split(text, ".")[:2] {
		content, _ := base64.RawURLEncoding.DecodeString(part)
		_ = json.Unmarshal(content, &p)
	}
	return p
}
