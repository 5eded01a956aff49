package revoked

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a former program acknowledged is read by the next, and what this one writes by one
// that is put back: names and contents stay what they are, or bear another version.
func TestDir_FormIsFixed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := at.AddDate(10, 0, 0)
	for _, tt := range []struct {
		name, content string
		want          Revocation
	}{
		{
			"2e05e1fa0ff9ea075d1eb4fb7b2a4bff690614349e3f5a532fd554f8346c7b2d.json",
			`{"version":1,"revocation":{"issuer":"https://i.test","subject":"alice","issued_before":"2026-01-02T03:04:05.000000006Z","until":"2036-01-02T03:04:05Z"}}` + "\n",
			Revocation{Issuer: "https://i.test", Subject: "alice", IssuedBefore: at.Add(6), Until: end},
		},
		{
			"f00e7fe18c3373c024bf4c21690b04f5eefec52412df52bc01ce600517dadcca.json",
			`{"version":1,"revocation":{"issuer":"https://i.test","session_id":"s","ended_at":"2026-01-02T03:04:05Z","until":"2036-01-02T03:04:05Z"}}` + "\n",
			Revocation{Issuer: "https://i.test", SessionID: "s", EndedAt: at, Until: end},
		},
		{
			"09fb971f87a4d2a8c10d6f99239148e989e61672557ea56ce2ea6d3ae9c692be.json",
			`{"version":1,"revocation":{"token_id":"t","key_id":"k","until":"2036-01-02T03:04:05Z"}}` + "\n",
			Revocation{TokenID: "t", KeyID: "k", Until: end},
		},
	} {
		path := filepath.Join(t.TempDir(), "revocations")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, tt.name), []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		d := openDir(t, path)
		entries, err := d.Load(100)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeWaiting(entries[tt.name])
		if err != nil || got != tt.want {
			t.Errorf("%s is read as %+v, %v, want %+v", tt.content, got, err, tt.want)
		}
		content, err := encodeWaiting(tt.want)
		if err != nil || string(content) != tt.content {
			t.Errorf("%+v is written as %s, %v, want %s", tt.want, content, err, tt.content)
		}
		if name, err := d.Put(content); err != nil || name != tt.name {
			t.Errorf("its file is %s, %v, want %s", name, err, tt.name)
		}
	}
}
