package cloudzeroexporter

import (
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// health reports the component's status when it changes. Everything that can go
// wrong after the start is something that an operator, or time, can mend.
type health struct {
	mu     sync.Mutex // guards everything below
	host   component.Host
	errs   map[string]error
	failed bool
}

func newHealth(host component.Host) *health {
	return &health{host: host, errs: make(map[string]error)}
}

// set says how something, such as the storage, is now.
func (h *health) set(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs[what] = err
	now := errors.Join(h.errs["storage"], h.errs["anycost"])
	if failed := now != nil; failed != h.failed {
		h.failed = failed
		event := componentstatus.NewEvent(componentstatus.StatusOK)
		if failed {
			event = componentstatus.NewRecoverableErrorEvent(now)
		}
		componentstatus.ReportStatus(h.host, event)
	}
}
