package changed

import "testing"

func TestCount(t *testing.T) {
	if Count(-1) != 0 || Count(3) != 3 {
		t.Error("another number")
	}
}
