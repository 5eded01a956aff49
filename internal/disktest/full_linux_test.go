package disktest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// mountVariable names the directory on which a process mounts a disk of its own.
const mountVariable = "OIDCAUTH_TEST_DISK_MOUNT"

// On a disk of 64 KiB that is full, and on one that is read-only: errors say where and
// why, what there is goes on serving, also after a restart, and all can be written again
// when the disk is as it was.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(mountVariable); dir != "" {
		testFullDisk(t, dir)
		return
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), mountVariable+"="+t.TempDir())
	// Others see nothing of what is mounted, and nobody has to be root.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && !strings.Contains(string(out), "--- PASS: TestFullDisk"):
		t.Errorf("the process said %s", out)
	case errors.As(err, &exit):
		t.Errorf("%v: %s", err, out)
	case err != nil && os.Getenv("CI") == "":
		t.Skipf("no user namespace here: %v", err)
	case err != nil:
		t.Error(err)
	}
}

// A ledge is a small disk with all that a server has on disk.
type ledge struct {
	t      *testing.T
	place  place
	issuer *oidctest.Issuer
	cfg    oidcauth.Config
	local  *localissuer.Issuer
	auth   *oidcauth.Authenticator
}

func testFullDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	log := memorylog.New[oidcauth.Revocation]()
	log.RefuseAll()
	p := &ledge{t: t, place: place(dir), issuer: issuer, cfg: oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log,
	}}
	full := filepath.Join(dir, "full")
	p.fill(full)
	for _, err := range p.start() {
		p.refused(err, syscall.ENOSPC)
	}
	p.free(full)
	for _, err := range p.start() {
		if err != nil {
			t.Fatalf("once there is room: error = %v", err)
		}
	}
	p.works()
	p.awaitCache()

	p.fill(full)
	p.goesOn(syscall.ENOSPC)
	p.free(full)
	p.works()

	p.auth.Close() // a disk with files that are open to be written does not become read-only
	p.remount(syscall.MS_RDONLY)
	p.refused(p.local.Rotate(t.Context()), syscall.EROFS)
	_, err := oidcauth.New(p.config())
	p.refused(err, syscall.EROFS)
	p.readOnly()
	p.remount(0)
	for _, err := range p.start() {
		if err != nil {
			t.Fatalf("once it can be written: error = %v", err)
		}
	}
	defer p.auth.Close()
	defer p.local.Close()
	p.works()
}

// readOnly expects that the keys on a read-only disk serve a server that starts there.
func (p *ledge) readOnly() {
	p.t.Helper()
	l, err := localissuer.New(localissuer.Config{Dir: p.place.keys(), Audiences: []string{authtest.Audience}})
	if err != nil {
		p.t.Fatalf("New() error = %v with keys that are there", err)
	}
	defer l.Close()
	cfg := p.config()
	cfg.RevocationDir, cfg.Revocations, cfg.Client = "", nil, oidctest.NewIssuer(p.t, oidctest.Config{URL: "https://down.example"}).Client()
	a := authtest.NewAuthenticator(p.t, cfg)
	authtest.Wants(p.t, a, authtest.Issue(p.t, l, localissuer.Request{}), nil)
	authtest.Wants(p.t, a, p.issuer.Token(nil), nil) // by the key cache alone
}

func (p *ledge) config() oidcauth.Config {
	cfg := p.cfg
	cfg.RevocationDir, cfg.KeyCacheDir = p.place.waiting("0"), p.place.cache()
	if p.local != nil {
		cfg.Issuers = append(cfg.Issuers[:1:1], p.local.Issuer())
	}
	return cfg
}

// start starts the two parts that need a disk.
func (p *ledge) start() []error {
	var failed [2]error
	p.local, failed[0] = localissuer.New(localissuer.Config{URL: "local", Dir: p.place.keys(), Audiences: []string{authtest.Audience}})
	p.auth, failed[1] = oidcauth.New(p.config())
	if failed[1] == nil && failed[0] != nil { // it needs no room to start
		failed[1] = p.auth.Revoke(p.t.Context(), oidcauth.Revocation{Subject: "early"})
		p.auth.Close()
	}
	return failed[:]
}

// awaitCache waits for the file that is written behind the first token's back.
func (p *ledge) awaitCache() {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !slices.ContainsFunc(disktest.Left(p.place.cache()), func(name string) bool { return strings.HasSuffix(name, ".json") }) {
		if time.Now().After(deadline) {
			p.t.Fatal("no key file")
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *ledge) fill(name string) {
	p.t.Helper()
	f, err := os.Create(name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		p.t.Fatal(err)
	}
}

func (p *ledge) free(name string) {
	p.t.Helper()
	if err := os.Remove(name); err != nil {
		p.t.Fatal(err)
	}
}

func (p *ledge) remount(flags uintptr) {
	p.t.Helper()
	if err := syscall.Mount("", string(p.place), "", syscall.MS_REMOUNT|flags, ""); err != nil {
		p.t.Fatal(err)
	}
}

// refused expects an error that says where and why.
func (p *ledge) refused(err, want error) {
	p.t.Helper()
	if err == nil || !strings.Contains(err.Error(), want.Error()) || !strings.Contains(err.Error(), string(p.place)) || strings.Contains(err.Error(), "\n") {
		p.t.Errorf("error = %v, want one line that says where, and %v", err, want)
	}
}

// works expects that everything can be written.
func (p *ledge) works() {
	p.t.Helper()
	if err := p.local.Rotate(p.t.Context()); err != nil {
		p.t.Errorf("Rotate() error = %v", err)
	}
	if err := p.auth.Revoke(p.t.Context(), oidcauth.Revocation{Subject: "mallory"}); !errors.Is(err, oidcauth.ErrRevocationWaits) {
		p.t.Errorf("Revoke() error = %v, want %v", err, oidcauth.ErrRevocationWaits)
	}
	p.serves()
	for _, dir := range []string{p.place.keys(), p.place.waiting("0")} {
		for _, name := range disktest.Left(dir) {
			if strings.Contains(name, "tmp-") || strings.Contains(name, "temporary-") {
				p.t.Errorf("left behind: %s", name)
			}
		}
	}
}

// goesOn expects that nothing can be written, for that reason, and that all that there is
// serves.
func (p *ledge) goesOn(want error) {
	p.t.Helper()
	p.refused(p.local.Rotate(p.t.Context()), want)
	err := p.auth.Revoke(p.t.Context(), oidcauth.Revocation{Subject: "eve-" + want.Error()})
	p.refused(err, want)
	if !errors.Is(err, oidcauth.ErrRevocationNotWritten) {
		p.t.Errorf("Revoke() error = %v, want %v", err, oidcauth.ErrRevocationNotWritten)
	}
	eve := authtest.Issue(p.t, p.local, localissuer.Request{Subject: "eve-" + want.Error()})
	authtest.Wants(p.t, p.auth, eve, oidcauth.ErrRevoked)
	p.serves()
}

func (p *ledge) serves() {
	p.t.Helper()
	authtest.Wants(p.t, p.auth, authtest.Issue(p.t, p.local, localissuer.Request{}), nil)
	authtest.Wants(p.t, p.auth, p.issuer.Token(nil), nil)
	authtest.Wants(p.t, p.auth, authtest.Issue(p.t, p.local, localissuer.Request{Subject: "mallory"}), oidcauth.ErrRevoked)
}
