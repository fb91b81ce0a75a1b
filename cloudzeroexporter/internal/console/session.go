package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// sessionCookie proves that a browser's user knew the token.
const sessionCookie = "cloudzero_console"

// session tells who may use a console that has a token: who sends it, or who
// logged in with it. A session ends with the process.
type session struct {
	opts Options
	key  []byte
}

func newSession(o Options) *session {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &session{o, key}
}

// value is the session's cookie.
func (s *session) value() string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(s.opts.Token))
	return hex.EncodeToString(mac.Sum(nil))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *session) allowed(r *http.Request) bool {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return same(token, s.opts.Token)
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && same(cookie.Value, s.value())
}

// only refuses requests without the token, if there is one. A browser that asks
// for the page gets the form to log in.
func (s *session) only(next http.Handler) http.Handler {
	if s.opts.Token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.allowed(r), r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/web/"):
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet && r.URL.Path == "/":
			render(w, s.opts.Logger, http.StatusUnauthorized, "login.html", "")
		case r.Method == http.MethodPost && r.URL.Path == "/login":
			s.login(w, r)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, s.opts.Logger, http.StatusUnauthorized, "the console's token is missing or wrong: send Authorization: Bearer <token>")
		}
	})
}

func (s *session) login(w http.ResponseWriter, r *http.Request) {
	if !same(r.PostFormValue("token"), s.opts.Token) {
		render(w, s.opts.Logger, http.StatusUnauthorized, "login.html", "This is not the token.")
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where there is TLS; loopback has none
		Name: sessionCookie, Value: s.value(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
