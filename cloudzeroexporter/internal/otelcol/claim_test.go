package otelcol

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNoTwoClaimsAreEqual(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 200 {
		c, err := ClaimAddress(t.Context())
		require.NoError(t, err)
		t.Cleanup(c.Release)
		require.False(t, seen[c.Address], c.Address)
		seen[c.Address] = true

		_, text, err := net.SplitHostPort(c.Address)
		require.NoError(t, err)
		port, err := strconv.Atoi(text)
		require.NoError(t, err)
		_, err = claim(t.Context(), port)
		require.Error(t, err, "a claimed port was claimed again")
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", c.Address)
		require.NoError(t, err, "whom it was claimed for must be able to listen")
		require.NoError(t, listener.Close())
	}
}

func TestAPortInUseIsNotClaimed(t *testing.T) {
	t.Parallel()
	c, err := ClaimAddress(t.Context())
	require.NoError(t, err)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", c.Address)
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	c.Release()
	address, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	_, err = claim(t.Context(), address.Port)
	assert.Error(t, err)
}
