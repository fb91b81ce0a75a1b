// Package cbf makes rows of CloudZero's Common Bill Format out of usage records.
//
// A [Layout] says which dimensions separate two rows of an hour, and makes a
// record's [Key]. A [Row] is a key with its labels and running totals; it
// prints itself as CBF columns, with a CZRN as its resource id. The columns are
// those of https://docs.cloudzero.com/docs/anycost-common-bill-format-cbf.
//
// Everything here is a pure function of its arguments.
package cbf
