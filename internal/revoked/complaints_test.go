package revoked

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
)

// Each reason of an outage is written once, and not more than sixteen of them.
func TestComplaints(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	var c Complaints
	for range 2 {
		if !c.IsNew(lost) || c.IsNew(errors.New(lost.Error())) {
			t.Error("a reason is not written once")
		}
		for i := range 20 {
			if got := c.IsNew(fmt.Errorf("reason %d", i)); got != (i < 15) {
				t.Errorf("reason %d beside another: written %v", i, got)
			}
		}
		if c.IsNew(lost) {
			t.Error("a reason is written again once there are many")
		}
		c.Over()
	}
}

// Of what fails in the directory the names of files make no new reason; of what fails
// elsewhere they do.
func TestComplaints_Names(t *testing.T) {
	t.Parallel()
	of := func(name string, err error) error { return &fs.PathError{Op: "create", Path: name, Err: err} }
	moved := func(name string) error {
		return &os.LinkError{Op: "rename", Old: name, New: "a", Err: fs.ErrPermission}
	}
	inDir := func(err error) error { return fmt.Errorf("%w d: a is not written: %w", ErrDir, err) }
	var c Complaints
	for i, tt := range []struct {
		reason error
		new    bool
	}{
		{inDir(of("temporary-1", fs.ErrPermission)), true},
		{inDir(of("temporary-2", fs.ErrPermission)), false},
		{inDir(of("temporary-3", fs.ErrClosed)), true},
		{inDir(moved("temporary-4")), true},
		{inDir(moved("temporary-5")), false},
		{inDir(errors.New("full")), true},
		{inDir(errors.New("moved")), true},
		{of("ca.pem", fs.ErrPermission), true},
		{of("key.pem", fs.ErrPermission), true},
	} {
		if got := c.IsNew(tt.reason); got != tt.new {
			t.Errorf("%d: IsNew(%v) = %t, want %t", i, tt.reason, got, tt.new)
		}
	}
}
