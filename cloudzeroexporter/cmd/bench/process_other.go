//go:build !linux

package main

import (
	"errors"
	"io/fs"
	"time"
)

var errNotLinux = errors.New("CPU and memory of a process are read on Linux only")

type memory struct{ now, mapped, peak uint64 }

func onDisk(info fs.FileInfo) uint64 { return uint64(info.Size()) }

func cpuOf(int) (time.Duration, error) { return 0, errNotLinux }

func memoryOf(int) (memory, error) { return memory{}, errNotLinux }
