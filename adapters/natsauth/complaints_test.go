package natsauth_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// Each reason of an outage is written once, and not more than sixteen of them.
func TestComplaints(t *testing.T) {
	t.Parallel()
	var c natsauth.Complaints
	for range 2 {
		if !c.IsNew(errLost) || c.IsNew(errors.New(errLost.Error())) {
			t.Error("a reason is not written once")
		}
		for i := range 20 {
			if got := c.IsNew(fmt.Errorf("reason %d", i)); got != (i < 15) {
				t.Errorf("reason %d beside another: written %v", i, got)
			}
		}
		if c.IsNew(errLost) {
			t.Error("a reason is written again once there are many")
		}
		c.Over()
	}
}
