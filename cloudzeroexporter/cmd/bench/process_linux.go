package main

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the CPU time that a process has used, all threads, user and system:
// its CPU clock, see clock_getcpuclockid(3).
func cpuOf(pid int) (time.Duration, error) {
	const wholeProcess = 2 // the clock's kind, in its three lowest bits
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|wholeProcess, &t); err != nil { //nolint:gosec // a PID has 22 bits
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// onDisk is what a file takes of the disk, in bytes; see stat(2).
func onDisk(info fs.FileInfo) uint64 {
	const blockBytes = 512
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return uint64(info.Size()) //nolint:gosec // not negative
	}
	return uint64(stat.Blocks) * blockBytes //nolint:gosec // not negative
}

// memory is what a process takes of the machine's memory, in bytes. Mapped is
// the part of now that are pages of files, which the kernel can take back.
type memory struct{ now, mapped, peak uint64 }

func memoryOf(pid int) (m memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseUint(fields[1], 10, 64) // other lines hold no number
		switch fields[0] {
		case "VmRSS:":
			m.now = kilobytes * 1024
		case "RssFile:":
			m.mapped = kilobytes * 1024
		case "VmHWM:":
			m.peak = kilobytes * 1024
		}
	}
	if m.now == 0 || m.peak == 0 {
		return m, fmt.Errorf("process %d: /proc does not tell its memory", pid)
	}
	return m, nil
}
