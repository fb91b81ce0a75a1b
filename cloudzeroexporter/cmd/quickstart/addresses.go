package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// checkAddresses says which addresses somebody else listens on. What is meant
// for this collector would reach theirs, and the sandbox's calls would be billed
// for real.
func (o *options) checkAddresses(ctx context.Context) error {
	var errs []error
	var flags []string
	for _, a := range []struct{ flag, address string }{
		{"-grpc", o.addresses.GRPC}, {"-http", o.addresses.HTTP}, {"-console", o.addresses.Console}, {"-health", o.addresses.Health},
	} {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.address)
		if err != nil {
			errs, flags = append(errs, err), append(flags, a.flag)
			continue
		}
		errs = append(errs, listener.Close())
	}
	if len(flags) > 0 {
		return fmt.Errorf("is another collector running? End it, or choose other addresses with %s: %w", strings.Join(flags, ", "), errors.Join(errs...))
	}
	return errors.Join(errs...)
}
