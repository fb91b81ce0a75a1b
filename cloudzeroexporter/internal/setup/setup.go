package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// version is that of the record's format.
const version = 1

// key is where the record is in its storage.
const key = "setup"

// FirstBooks is the name of the books that are kept before any connection is
// known. They become those of the first that is.
const FirstBooks = "first_books"

// Record is which books there are.
type Record struct {
	Version int `json:"version"`
	// Books is the name of the books in use.
	Books string `json:"books"`
	// Owners are the names of the books of each connection.
	Owners map[string]string `json:"owners,omitempty"`
	// Sealed are the credentials that were given on the console, encrypted.
	Sealed []byte `json:"sealed,omitempty"`
}

// Owner is the connection that the books in use belong to; "" when there is none
// yet.
func (r Record) Owner() string {
	for connection, books := range r.Owners {
		if books == r.Books {
			return connection
		}
	}
	return ""
}

// With is the record with a connection's books in use: its own, if it has some;
// else those in use, if nobody owns them or they are free; else new ones. Books
// are free as long as nothing of them can have reached their owner, so that a
// mistyped connection does not keep what was meant for the right one.
func (r Record) With(connection string, free bool) Record {
	owners := maps.Clone(r.Owners)
	if owners == nil {
		owners = make(map[string]string)
	}
	owner := r.Owner()
	switch own, known := owners[connection]; {
	case known:
		r.Books = own
	case r.Books != "" && (owner == "" || free):
		delete(owners, owner)
	default:
		r.Books = newBooks(connection, owners)
	}
	owners[connection] = r.Books
	r.Owners = owners
	return r
}

// newBooks is a name for a connection's first books. Those that bear its name may
// be another's by now, who got them while they were free.
func newBooks(connection string, owners map[string]string) string {
	name := "books_" + connection
	taken := slices.Collect(maps.Values(owners))
	for n, first := 2, name; slices.Contains(taken, name); n++ {
		name = first + "_" + strconv.Itoa(n)
	}
	return name
}

// Without is the record for the time before a connection is known, or after it
// was taken away: the books stay what they are.
func (r Record) Without() Record {
	if r.Books == "" {
		r.Books = FirstBooks
	}
	return r
}

// Seal is the record with the credentials in it, encrypted with the token.
func (r Record) Seal(token string, c Credentials) (Record, error) {
	var err error
	r.Sealed, err = seal(token, c)
	return r, err
}

// Unseal returns the credentials in the record; known says whether there are any.
// The error is [ErrSealed].
func (r Record) Unseal(token string) (c Credentials, known bool, err error) {
	if len(r.Sealed) == 0 {
		return c, false, nil
	}
	c, err = unseal(token, r.Sealed)
	return c, err == nil, err
}

// Load reads the record; a storage without one has the zero record.
func Load(ctx context.Context, client storage.Client) (r Record, err error) {
	value, err := client.Get(ctx, key)
	if err != nil || value == nil {
		return r, err
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return Record{}, fmt.Errorf("the value %q, which says which books belong to which connection, cannot be read: %w; "+
			"restore it from a backup, or delete it to begin with the books of the configured connection", key, err)
	}
	if r.Version > version {
		return Record{}, fmt.Errorf("the value %q was written by a newer version: format %d, this one reads %d", key, r.Version, version)
	}
	return r, nil
}

// Save writes the record.
func (r Record) Save(ctx context.Context, client storage.Client) error {
	r.Version = version
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return client.Set(ctx, key, value)
}

// Equal says whether both records say the same.
func (r Record) Equal(o Record) bool {
	return r.Books == o.Books && maps.Equal(r.Owners, o.Owners) && string(r.Sealed) == string(o.Sealed)
}
