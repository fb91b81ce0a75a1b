package otelcol

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports that are claimed lie below those that systems give to whoever asks for
// any, or calls out: from 32768 on Linux, from 49152 elsewhere. One of those can
// be gone again before a collector listens on it.
const (
	firstPort = 20_000
	lastPort  = 32_767
)

// Claim is an address on this machine that is kept for one collector. Nobody
// listens on it, and no other claim, of this process or another, gets it.
type Claim struct {
	// Address is host:port.
	Address string
	// mark is a socket on the same port of UDP, which collectors do not use: the
	// system gives it to one only, and frees it with the process.
	mark net.PacketConn
}

// ClaimAddress claims an address.
func ClaimAddress(ctx context.Context) (Claim, error) {
	const attempts = 1000
	var last error
	for range attempts {
		c, err := claim(ctx, firstPort+rand.IntN(lastPort-firstPort+1)) //nolint:gosec // any one does
		if err == nil {
			return c, nil
		}
		last = err
	}
	return Claim{}, fmt.Errorf("found no free port from %d to %d: %w", firstPort, lastPort, last)
}

func claim(ctx context.Context, port int) (Claim, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	mark, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
	if err != nil {
		return Claim{}, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return Claim{}, errors.Join(err, mark.Close())
	}
	return Claim{address, mark}, listener.Close()
}

// Release gives the address up.
func (c Claim) Release() { _ = c.mark.Close() }
