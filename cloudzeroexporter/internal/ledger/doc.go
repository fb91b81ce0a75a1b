// Package ledger keeps the books: hours of rows with absolute totals, which
// calls they contain, and what of them AnyCost holds.
//
// A [Batch] of usage records is committed as a whole: [Ledger.Commit] returns
// nil only when all that the batch changed is in storage. Concurrent commits
// share one write. A call is taken in once, however often it is told.
//
// The books are a journal of changes, one stored value for each commit, and a
// checkpoint of every hour that the journal continues. docs/format.md says what
// is on disk, and what a crash at each write leaves behind. What calls old hours
// contain is in an archive, which is opened only when it is asked.
//
// One goroutine, started by [Open] and ended by [Ledger.Close], does all
// writing. Ledger.mu guards everything in memory. All methods are safe for
// concurrent use.
//
// The books do not know what can be posted how, nor when: that is the shipper's.
package ledger
