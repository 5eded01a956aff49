package switched

import "testing"

func TestCount(t *testing.T) {
	for n := -1; n < most; n++ {
		if got, err := Count(n, true); got != max(n, 0) || err != nil {
			t.Errorf("Count(%d): got %d, %v", n, got, err)
		}
	}
}

func TestCount_Refused(t *testing.T) {
	if got, err := Count(1, false); got != 0 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := Count(most, true); err != errLarge {
		t.Errorf("got %v, want %v", err, errLarge)
	}
}
