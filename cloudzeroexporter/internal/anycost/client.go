package anycost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxReplyBytes bounds what is read of an answer.
	maxReplyBytes = 64 << 10
	// maxMessageBytes bounds what is repeated of AnyCost's message.
	maxMessageBytes = 500
	// maxRetryAfter bounds how long a server can make us wait.
	maxRetryAfter = time.Hour
)

// Client posts to one AnyCost Stream connection. It is safe for concurrent use,
// but AnyCost is not: "does not support concurrent requests for the same
// stream". One goroutine at a time may post.
type Client struct {
	http      *http.Client
	drops     *url.URL
	validate  *url.URL
	key       string
	userAgent string
}

// Receipt is what AnyCost says it took.
type Receipt struct {
	DropID string `json:"drop_id"`
	// RowCount is undocumented: the rows of the request, or of the month.
	RowCount int `json:"row_count"`
}

// New returns a client for the connection. The endpoint is the API's base URL;
// the key is sent as it is, without the word Bearer.
func New(client *http.Client, endpoint, connectionID, apiKey, userAgent string) (*Client, error) {
	base, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	anycost := base.JoinPath("v2", "connections", "billing", "anycost")
	own := *client
	// A redirected POST would become a GET, and would carry the key elsewhere.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		http:      &own,
		drops:     anycost.JoinPath(url.PathEscape(connectionID), "billing_drops"),
		validate:  anycost.JoinPath("validate_billing_drop"),
		key:       apiKey,
		userAgent: userAgent,
	}, nil
}

// Post sends the drop. Every error is an [*Error].
func (c *Client) Post(ctx context.Context, d *Drop) (Receipt, error) {
	var reply struct {
		Connection *Receipt `json:"connection"`
	}
	if err := c.send(ctx, c.drops, d, &reply); err != nil {
		return Receipt{}, err
	}
	if reply.Connection == nil {
		return Receipt{}, noConnection(c.drops)
	}
	return *reply.Connection, nil
}

// Validate asks what AnyCost would refuse of the drop, without any effect.
// Nothing means that it takes all of it. A key without the scope gets an
// [*Error] of class [Forbidden].
func (c *Client) Validate(ctx context.Context, d *Drop) (problems []string, err error) {
	var reply struct {
		Connection *struct {
			Valid  bool     `json:"is_valid"`
			Errors []string `json:"errors"`
		} `json:"connection"`
	}
	if err := c.send(ctx, c.validate, d, &reply); err != nil {
		return nil, err
	}
	switch {
	case reply.Connection == nil:
		return nil, noConnection(c.validate)
	case reply.Connection.Valid:
		return nil, nil
	case len(reply.Connection.Errors) == 0:
		return []string{"AnyCost does not say why"}, nil
	}
	for i, problem := range reply.Connection.Errors {
		reply.Connection.Errors[i] = message([]byte(problem))
	}
	return reply.Connection.Errors, nil
}

// send posts the drop to a URL.
func (c *Client) send(ctx context.Context, to *url.URL, d *Drop, reply any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), d.body())
	if err != nil {
		return &Error{Class: Unavailable, Request: "POST " + to.Redacted(), Err: err}
	}
	request.ContentLength = int64(d.Bytes())
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(d.body()), nil }
	request.Header.Set("Content-Type", "application/json")
	return c.do(request, reply)
}

func noConnection(asked *url.URL) error {
	return &Error{Class: Lost, Request: "POST " + asked.Redacted(), Status: http.StatusOK, Err: errors.New(`no "connection" in it`)}
}

// do sends the request and decodes the answer of a 200 into reply.
func (c *Client) do(request *http.Request, reply any) error {
	response, failed := c.ask(request)
	if failed != nil {
		return failed
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, response.Body, maxReplyBytes) // lets the connection be used again
		_ = response.Body.Close()
	}()
	if response.StatusCode != http.StatusOK {
		return c.refusal(request, response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReplyBytes))
	if err == nil {
		err = json.Unmarshal(body, reply)
	}
	if err != nil {
		return &Error{Class: Lost, Request: named(request), Status: response.StatusCode, Err: err}
	}
	return nil
}

// ask sends the request. Whoever gets an answer closes its body.
func (c *Client) ask(request *http.Request) (*http.Response, *Error) {
	request.Header.Set("Authorization", c.key)
	request.Header.Set("User-Agent", c.userAgent)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &Error{Class: classOfFailure(err), Request: named(request), Err: withoutURL(err)}
	}
	return response, nil
}

// refusal is the error for an answer that is no 200.
func (c *Client) refusal(request *http.Request, response *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxReplyBytes)) // what came of it says enough
	return &Error{
		Class:   classOf(response.StatusCode),
		Request: named(request),
		Status:  response.StatusCode,
		// Some proxies echo what they refuse.
		Message:    message(bytes.ReplaceAll(body, []byte(c.key), []byte("[REDACTED]"))),
		RetryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
}

func named(request *http.Request) string { return request.Method + " " + request.URL.Redacted() }

// classOfFailure tells a connection that never stood from an answer that never
// came.
func classOfFailure(err error) Class {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return Unavailable
	}
	return Lost
}

// withoutURL takes the URL off, which the Error has itself.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// message is what AnyCost says in one of its two forms, or the beginning of
// what somebody else says.
func message(body []byte) string {
	var documented struct {
		Message string `json:"message"`
		Error   struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
	s := string(body)
	if json.Unmarshal(body, &documented) == nil {
		switch {
		case documented.Error.Type != "":
			s = documented.Error.Type + ": " + documented.Error.Message
		case documented.Error.Message != "":
			s = documented.Error.Message
		case documented.Message != "":
			s = documented.Message
		}
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) <= maxMessageBytes {
		return s
	}
	end := maxMessageBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// retryAfter reads the header, in seconds or as a date (RFC 9110, 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
