// Package series knows how far every cumulative series has come, so that each
// of its points adds what the last one did not tell yet.
//
// A [Set] decides in memory; it can print what changed, and read it again. It
// is not safe for concurrent use: its owner has the lock.
package series
