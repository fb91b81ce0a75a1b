// Package anycosttest is a stand-in for CloudZero's AnyCost Stream API, for
// tests and for the quickstart's sandbox. It does what CloudZero documents at
// https://docs.cloudzero.com/reference/createstreamdrop and is strict: what the
// documentation forbids is refused and kept as a violation. What it leaves open
// is chosen so that a careless client is found out.
//
// It imports nothing of the exporter, so that a fact that both have wrong cannot
// hide in shared code.
package anycosttest
