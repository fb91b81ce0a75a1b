// Package leaks notices that LiteLLM, or what is between it and here, is set up
// so that money does not arrive, and says what to set.
//
// A [Detector] watches batches of telemetry go by. A finding is one way in which
// money is seen to leak; it begins when a rule of its [Kind] holds and ends when
// the rule has not held for an hour. Findings are judged every ten seconds by
// the detector's one goroutine, which lives from Start to Shutdown.
//
// One lock, Detector.mu, owns all that the detector remembers; a batch takes it
// once. All of it is in memory, begins anew with the process and is bounded:
// 8192 open traces (below 500 KB), 1000 models (below 800 KB), a week of hours
// (10 KB). Nothing here changes what is billed, and a detector that finds
// nothing proves nothing.
package leaks
