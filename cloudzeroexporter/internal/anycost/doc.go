// Package anycost speaks to CloudZero's AnyCost Stream API: one call, one answer
// in words that say what to do next. It repeats nothing; when and what to post
// is the shipper's.
//
// The API is documented at https://docs.cloudzero.com/reference/createconnectionanycostbillingdrop.
package anycost
