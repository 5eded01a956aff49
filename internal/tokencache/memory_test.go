package tokencache_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/tokencache"
)

// The allocator has blocks of 480 bytes, and gives what is larger a header.
func TestCache_SlabBytes(t *testing.T) {
	t.Parallel()
	if tokencache.SlabBytes > 480 {
		t.Errorf("a slab of entries takes %d bytes, want 480 at most", tokencache.SlabBytes)
	}
}

// TestCache_Memory compares what a cache counts with what the runtime does: books
// that agree with each other could still all be too low. It is alone when it runs.
func TestCache_Memory(t *testing.T) {
	for _, size := range []int64{1 << 20, 20 << 20} {
		before := heap()
		c := tokencache.New[claims](size, nil)
		for n := range 3 * size / 1700 {
			c.Put(fmt.Sprintf("%s%08d", strings.Repeat("h", 892), n), newClaims(), payloadBytes+256, time.Now().Add(time.Hour), uint64(n))
		}
		grown := int64(heap() - before)
		if counted := c.Bytes(); grown > size+size/20 || counted < grown*9/10 || counted > grown*11/10 {
			t.Errorf("a cache of %d bytes grew by %d, and counts %d", size, grown, counted)
		}
		runtime.KeepAlive(c)
	}
}
