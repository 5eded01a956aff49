package revoked

import (
	"errors"
	"fmt"
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
