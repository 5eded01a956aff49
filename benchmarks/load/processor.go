package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit in which Linux tells processor times (USER_HZ, proc(5)).
const tick = 10 * time.Millisecond

// processorTime returns what a process has used of the processor, zero where
// there is no /proc to tell.
func processorTime(process int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return 0
	}
	// The second field, the program's name, may hold anything but ends with the
	// last parenthesis; user and system time are the 14th and 15th.
	const first, user, system = 3, 14, 15
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= system-first {
		return 0
	}
	var ticks int
	for _, field := range []int{user, system} {
		n, err := strconv.Atoi(string(fields[field-first]))
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}
