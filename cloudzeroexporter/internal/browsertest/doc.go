// Package browsertest opens the console of the built distribution in a real
// browser. It is a module of its own, so that who imports the exporter does not
// get a browser's driver. `make browser-test` runs it.
package browsertest
