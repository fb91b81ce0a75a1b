package setup

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

var credentials = Credentials{APIKey: "a-secret-key", ConnectionID: "connection-1", Timezone: "Europe/Berlin"}

func TestSealedCredentialsCanBeReadWithTheirTokenOnly(t *testing.T) {
	t.Parallel()
	r, err := Record{Books: "b"}.Seal("token", credentials)
	require.NoError(t, err)
	stored, err := json.Marshal(r)
	require.NoError(t, err)
	assert.NotContains(t, string(r.Sealed), "secret")
	assert.NotContains(t, string(stored), "connection-1")

	got, known, err := r.Unseal("token")
	require.NoError(t, err)
	assert.True(t, known)
	assert.Equal(t, credentials, got)

	again, err := r.Seal("token", credentials)
	require.NoError(t, err)
	assert.NotEqual(t, r.Sealed, again.Sealed, "salt and nonce are new each time")

	for _, token := range []string{"", "Token", "token "} {
		got, known, err = r.Unseal(token)
		assert.ErrorIs(t, err, ErrSealed)
		assert.False(t, known)
		assert.Zero(t, got)
	}
	for i := range r.Sealed {
		damaged := r
		damaged.Sealed = append([]byte(nil), r.Sealed...)
		damaged.Sealed[i] ^= 1
		_, _, err = damaged.Unseal("token")
		assert.ErrorIs(t, err, ErrSealed, "byte %d", i)
		damaged.Sealed = r.Sealed[:i]
		if i > 0 {
			_, _, err = damaged.Unseal("token")
			assert.ErrorIs(t, err, ErrSealed, "cut at %d", i)
		}
	}
	_, known, err = Record{}.Unseal("token")
	assert.NoError(t, err)
	assert.False(t, known)
}

func TestWhoseBooks(t *testing.T) {
	t.Parallel()
	first := Record{}.Without()
	assert.Equal(t, FirstBooks, first.Books)
	assert.Empty(t, first.Owner())
	x := first.With("x", false)
	posted := x.With("y", false)
	for name, c := range map[string]struct {
		record Record
		books  string
		owner  string
		owners map[string]string
	}{
		"a connection of the configuration":       {Record{}.With("x", false), "books_x", "x", map[string]string{"x": "books_x"}},
		"the first one gets what came before":     {x, FirstBooks, "x", map[string]string{"x": FirstBooks}},
		"another one, before anything was posted": {x.With("y", true), FirstBooks, "y", map[string]string{"y": FirstBooks}},
		"another one, after something was posted": {posted, "books_y", "y", map[string]string{"x": FirstBooks, "y": "books_y"}},
		"and back": {posted.With("x", false), FirstBooks, "x", map[string]string{"x": FirstBooks, "y": "books_y"}},
		"back to what is its own, whatever is free": {posted.With("x", true), FirstBooks, "x", map[string]string{"x": FirstBooks, "y": "books_y"}},
		"the same one":  {x.With("x", true), FirstBooks, "x", map[string]string{"x": FirstBooks}},
		"none any more": {x.Without(), FirstBooks, "x", map[string]string{"x": FirstBooks}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.books, c.record.Books)
			assert.Equal(t, c.owner, c.record.Owner())
			assert.Equal(t, c.owners, c.record.Owners)
		})
	}
	assert.Equal(t, map[string]string{"x": FirstBooks}, x.Owners, "a record does not change")
}

// TestNoTwoConnectionsHaveTheSameBooks: books that were made for one connection
// and went to another, because they were free, are not given to the first too.
func TestNoTwoConnectionsHaveTheSameBooks(t *testing.T) {
	t.Parallel()
	r := Record{}.With("a", false).With("b", true)
	require.Equal(t, map[string]string{"b": "books_a"}, r.Owners)
	r = r.With("a", false)
	assert.Equal(t, "a", r.Owner())
	assert.Equal(t, map[string]string{"b": "books_a", "a": "books_a_2"}, r.Owners)
	r = r.With("c", true).With("a", false)
	assert.Equal(t, map[string]string{"b": "books_a", "c": "books_a_2", "a": "books_a_3"}, r.Owners)
	r = r.With("a_2", false)
	assert.Equal(t, "books_a_2_2", r.Books)
	assert.Equal(t, "books_a", r.With("b", false).Books)
}

func TestTheRecordInTheStorage(t *testing.T) {
	t.Parallel()
	d := disk{}
	r, err := Load(t.Context(), d)
	require.NoError(t, err)
	assert.Zero(t, r)
	r, err = r.With("x", false).Seal("token", credentials)
	require.NoError(t, err)
	require.NoError(t, r.Save(t.Context(), d))
	got, err := Load(t.Context(), d)
	require.NoError(t, err)
	assert.True(t, r.Equal(got))
	assert.False(t, r.Equal(Record{}))

	d[key] = []byte(`{"version":2}`)
	_, err = Load(t.Context(), d)
	assert.ErrorContains(t, err, "written by a newer version")
	d[key] = []byte(`{"ver`)
	_, err = Load(t.Context(), d)
	assert.ErrorContains(t, err, "restore it from a backup")
}

// disk is a storage of one goroutine.
type disk map[string][]byte

func (d disk) Get(_ context.Context, key string) ([]byte, error) { return d[key], nil }

func (d disk) Set(_ context.Context, key string, value []byte) error {
	d[key] = value
	return nil
}

func (d disk) Delete(_ context.Context, key string) error {
	delete(d, key)
	return nil
}

func (disk) Batch(context.Context, ...*storage.Operation) error { return nil }

func (disk) Close(context.Context) error { return nil }
