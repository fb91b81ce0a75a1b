//go:generate go tool -modfile=../internal/tools/go.mod mdatagen metadata.yaml

// Package cloudzeroexporter bills LLM usage, as LiteLLM reports it over
// OpenTelemetry, to a CloudZero AnyCost Stream connection.
package cloudzeroexporter
