//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServe_CheckOfRootsServer: a person checks the file of a server that runs as root, whose
// keys and revocations nobody else may look at, as of one that has a user of its own.
func TestServe_CheckOfRootsServer(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root has directories that are root's, and can be another user")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "serve.json")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "keys"), 0o700), os.Mkdir(filepath.Join(dir, "revocations"), 0o700),
		os.WriteFile(file, []byte(`{"local_issuer": {"dir": "`+dir+`/keys"}, "revocations": {"dir": "`+dir+`/revocations"}}`), 0o644),
		os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(filepath.Dir(binary), 0o711),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for _, name := range []string{binary, file} {
		look := exec.Command("/bin/ls", name)
		look.Dir, look.SysProcAttr = "/", as
		if err := look.Run(); err != nil {
			t.Skipf("nobody else can be, or look into the temporary directory: %v", err)
		}
	}
	cmd := exec.Command(binary, "serve", "--config", file, "--check")
	cmd.Dir, cmd.SysProcAttr = "/", as
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "another user's, and its keys were not looked at") {
		t.Errorf("%v, %q, want exit code 0 and a line that the keys were not looked at", err, out)
	}
}
