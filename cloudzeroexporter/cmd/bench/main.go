package main

import _ "github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"

func main() {}
