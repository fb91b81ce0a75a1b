package console

import (
	"net"
	"net/http"
	"strings"
)

// guarded forbids browsers everything that the console does not do.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		// Not no-referrer: a form's request would have no Origin either, which tells
		// it from another site's where a browser sends no Sec-Fetch-Site.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil || IsLoopback(r.Host) { // browsers ignore it elsewhere, and complain
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// onlyOwnHost keeps a foreign name that resolves to this machine (DNS rebinding)
// from reaching a console that trusts everyone on it.
func (c *console) onlyOwnHost(next http.Handler) http.Handler {
	if !c.Loopback {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsLoopback(r.Host) {
			c.fail(w, http.StatusForbidden, "the console answers to localhost only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// IsLoopback says whether an address, with or without a port, is this machine's
// own.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
