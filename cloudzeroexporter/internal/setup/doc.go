// Package setup keeps what the exporter must know before it can open its books:
// which books belong to which connection, and the credentials that were given on
// the console instead of in the configuration.
//
// Both are one value of a storage of their own, so that a crash leaves either
// the old or the new. docs/format.md describes it.
package setup
