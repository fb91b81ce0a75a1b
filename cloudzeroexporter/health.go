package cloudzeroexporter

import (
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// health reports the component's status when it changes, once for each signal,
// whose instances have a host each. Everything that can go
// wrong after the start is something that an operator, or time, can mend.
type health struct {
	mu     sync.Mutex // guards everything below
	hosts  []component.Host
	errs   map[string]error
	failed bool
}

func newHealth() *health { return &health{errs: make(map[string]error)} }

// add also reports to the host from now on.
func (h *health) add(host component.Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hosts = append(h.hosts, host)
	if h.failed {
		componentstatus.ReportStatus(host, h.event())
	}
}

// set says how something, such as the storage, is now.
func (h *health) set(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs[what] = err
	if failed := h.now() != nil; failed != h.failed {
		h.failed = failed
		for _, host := range h.hosts {
			componentstatus.ReportStatus(host, h.event())
		}
	}
}

func (h *health) now() error { return errors.Join(h.errs["storage"], h.errs["anycost"]) }

func (h *health) event() *componentstatus.Event {
	if err := h.now(); err != nil {
		return componentstatus.NewRecoverableErrorEvent(err)
	}
	return componentstatus.NewEvent(componentstatus.StatusOK)
}
