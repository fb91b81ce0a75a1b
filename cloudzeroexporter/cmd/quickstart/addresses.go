package main

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// checkAddresses says which addresses somebody else listens on. What is meant
// for this collector would reach theirs, and the sandbox's calls would be billed
// for real.
func (o *options) checkAddresses(ctx context.Context) error {
	var errs []error
	for _, a := range []struct{ flag, address string }{
		{"grpc", o.addresses.GRPC}, {"http", o.addresses.HTTP}, {"console", o.addresses.Console}, {"health", o.addresses.Health},
	} {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.address)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: is another collector running? End it, or give another address with -%s", err, a.flag))
			continue
		}
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}
