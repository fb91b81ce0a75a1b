//go:build race

package cloudzeroexporter

// raced says that the race detector is on: it allocates, and slows down.
const raced = true
