package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sessionCookie proves that a browser's user knew the token.
const sessionCookie = "cloudzero_console"

// sessionLife is how long it does.
const sessionLife = 12 * time.Hour

// session tells who may use a console that has a token: who sends it, or who
// logged in with it. A session ends with the process.
type session struct {
	*console
	key []byte
}

func newSession(c *console) *session {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &session{c, key}
}

// value is the cookie of a session that lasts until then: the second, and a MAC
// over it.
func (s *session) value(until time.Time) string {
	second := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(second))
	return second + "." + hex.EncodeToString(mac.Sum(nil))
}

// lasts says whether the cookie is that of a session that has not ended.
func (s *session) lasts(cookie string) bool {
	second, _, _ := strings.Cut(cookie, ".")
	until, err := strconv.ParseInt(second, 10, 64)
	return err == nil && same(cookie, s.value(time.Unix(until, 0))) && time.Now().Unix() < until
}

// same compares in a time that tells nothing of either, their lengths included.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (s *session) allowed(r *http.Request) bool {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return same(token, s.Token)
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && s.lasts(cookie.Value)
}

// only refuses requests without the token, if there is one. A browser that asks
// for the page gets the form to log in.
func (s *session) only(next http.Handler) http.Handler {
	if s.Token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/login":
			s.login(w, r)
		case r.Method == http.MethodPost && r.URL.Path == "/logout":
			s.setCookie(w, r, "", -1)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case s.allowed(r), r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/static/"):
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet && r.URL.Path == "/":
			s.render(w, http.StatusUnauthorized, "login.html", "")
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.fail(w, http.StatusUnauthorized, "the console's token is missing or wrong: send Authorization: Bearer <token>")
		}
	})
}

func (s *session) login(w http.ResponseWriter, r *http.Request) {
	if !same(r.PostFormValue("token"), s.Token) {
		s.render(w, http.StatusUnauthorized, "login.html", "This is not the token.")
		return
	}
	s.setCookie(w, r, s.value(time.Now().Add(sessionLife)), int(sessionLife.Seconds()))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (*session) setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where there is TLS; loopback has none
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}
