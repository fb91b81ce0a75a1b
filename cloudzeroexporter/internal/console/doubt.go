package console

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// settled is the answer to who says whether an addition took effect.
type settled struct {
	Message string         `json:"message"`
	Status  string         `json:"status"`
	Hour    billing.Hour   `json:"hour"`
	Rows    int            `json:"rows"`
	Cost    billing.Amount `json:"cost"`
}

// settleDoubt is POST /cloudzero/hours/{hour}/doubt: what CloudZero shows of an
// addition whose answer got lost.
func (*console) settleDoubt(e Exports, r *http.Request) (any, error) {
	at, err := billing.ParseHour(r.PathValue("hour"))
	if err != nil {
		return nil, badRequest(err)
	}
	var body struct {
		TookEffect *bool `json:"took_effect"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.TookEffect == nil {
		return nil, badRequest(errors.New("took_effect is missing: true if CloudZero holds the addition, false if not"))
	}
	d, err := e.Settle(r.Context(), at, *body.TookEffect)
	if err != nil {
		return nil, err
	}
	answer := settled{"The addition counts as posted", "success", at, d.Rows, d.Cost}
	if !*body.TookEffect {
		answer.Message = "The addition is sent again with the next post"
	}
	return answer, nil
}

// doubtForm is the same from the page, with or without JavaScript.
func (c *console) doubtForm(w http.ResponseWriter, r *http.Request) {
	tookEffect := r.PostFormValue("took_effect")
	at, err := billing.ParseHour(r.PostFormValue("hour"))
	if err == nil && tookEffect != "true" && tookEffect != "false" {
		err = fmt.Errorf("took_effect: %q is neither true nor false", tookEffect)
	}
	if err != nil {
		err = badRequest(err)
	} else {
		_, err = c.Current().Settle(r.Context(), at, tookEffect == "true")
	}
	if err != nil {
		c.render(w, statusOf(err), "refused.html", err.Error())
		return
	}
	http.Redirect(w, r, "/#attention", http.StatusSeeOther)
}

// Doubts are the held hours that wait for somebody who looks at CloudZero.
func (v view) Doubts() []shipper.HeldHour { return heldHours(v.Held, true) }

// Refused are the hours, or rows of them, that CloudZero refuses.
func (v view) Refused() []shipper.HeldHour { return heldHours(v.Held, false) }

func heldHours(all []shipper.HeldHour, doubted bool) (hours []shipper.HeldHour) {
	for _, h := range all {
		if (h.Doubt != nil) == doubted {
			hours = append(hours, h)
		}
	}
	return hours
}
