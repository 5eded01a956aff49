package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit in which Linux tells processor times (USER_HZ, proc(5)).
const tick = 10 * time.Millisecond

// CPU returns what the process has used of the processor, zero where there is no
// /proc to tell.
func (p *Process) CPU() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.ID))
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

// Resident returns the bytes of memory that the process holds, its program's text
// and files that it maps included, and zero where there is no /proc to tell.
func (p *Process) Resident() int64 { return p.status("VmRSS:") }

// Own returns the bytes of memory that are the process's alone: what Resident counts,
// less its program's text and files that it maps.
func (p *Process) Own() int64 { return p.status("RssAnon:") }

// Peak returns the most that Resident has been.
func (p *Process) Peak() int64 { return p.status("VmHWM:") }

// Descriptors returns how many files and connections the process has open, and zero
// where there is no /proc to tell.
func (p *Process) Descriptors() int {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.ID))
	if err != nil {
		return 0
	}
	return len(open)
}

func (p *Process) status(name string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.ID))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if value, found := bytes.CutPrefix(line, []byte(name)); found {
			kib, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
			return kib << 10
		}
	}
	return 0
}
