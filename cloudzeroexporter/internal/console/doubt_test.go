package console

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

const doubtPath = "/cloudzero/hours/2026-11-24T10:00:00Z/doubt"

func TestAnOperatorSaysWhatBecameOfAnAddition(t *testing.T) {
	t.Parallel()
	for body, message := range map[string]string{
		`{"took_effect":true}`: "The addition counts as posted", `{"took_effect":false}`: "The addition is sent again with the next post",
	} {
		e := &exports{doubt: shipper.Doubt{Rows: 2, Cost: amount(t, "1.000000000000001")}}
		w := ask(e, Options{}, http.MethodPost, doubtPath, body, nil)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.JSONEq(t, `{"message":"`+message+`","status":"success","hour":"2026-11-24T10:00:00Z","rows":2,"cost":"1.000000000000001"}`, w.Body.String())
		assert.Equal(t, hour(t, "2026-11-24T10:00:00Z"), e.settledHour)
		assert.Equal(t, body == `{"took_effect":true}`, e.tookEffect)
	}
}

func TestEveryErrorOfADoubtIsNamed(t *testing.T) {
	t.Parallel()
	const fine = `{"took_effect":true}`
	for name, c := range map[string]struct {
		path, body string
		err        error
		status     int
		want       string
	}{
		"no hour":        {"/cloudzero/hours/yesterday/doubt", fine, nil, http.StatusBadRequest, "yesterday"},
		"nothing said":   {doubtPath, `{}`, nil, http.StatusBadRequest, "took_effect is missing"},
		"no body":        {doubtPath, ``, nil, http.StatusBadRequest, "took_effect is missing"},
		"another type":   {doubtPath, `{"took_effect":"yes"}`, nil, http.StatusBadRequest, "took_effect: expected true or false, not a JSON string"},
		"another field":  {doubtPath, `{"took_effects":true}`, nil, http.StatusBadRequest, `unknown field "took_effects"`},
		"another hour":   {doubtPath, fine, shipper.ErrUnknownHour, http.StatusNotFound, "not in the books"},
		"no doubt":       {doubtPath, fine, &shipper.ConflictError{Reason: "the reason"}, http.StatusConflict, "the reason"},
		"an export runs": {doubtPath, fine, &shipper.BusyError{}, http.StatusConflict, "an export is running"},
		"a dry run":      {doubtPath, fine, shipper.ErrDryRun, http.StatusConflict, "dry run"},
		"no connection":  {doubtPath, fine, shipper.ErrNoConnection, http.StatusConflict, "no connection"},
		"the storage":    {doubtPath, fine, errors.New("the disk"), http.StatusInternalServerError, "the disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ask(&exports{err: c.err}, Options{}, http.MethodPost, c.path, c.body, nil)
			assert.Equal(t, c.status, w.Code)
			assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), c.want)
		})
	}
}

// TestTheFormOfADoubt works without JavaScript, and is guarded as the API is.
func TestTheFormOfADoubt(t *testing.T) {
	t.Parallel()
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	said := func(at, tookEffect string) string {
		return url.Values{"hour": {at}, "took_effect": {tookEffect}}.Encode()
	}
	e := &exports{}
	w := ask(e, Options{}, http.MethodPost, "/doubt", said("2026-11-24T10:00:00Z", "true"), form)
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "/#attention", w.Header().Get("Location"))
	assert.Equal(t, hour(t, "2026-11-24T10:00:00Z"), e.settledHour)
	assert.True(t, e.tookEffect)
	for body, want := range map[string]string{
		said("2026-11-24T10:00:00Z", "perhaps"): "&#34;perhaps&#34; is neither true nor false", said("soon", "true"): "soon", "": "hour",
	} {
		w = ask(&exports{}, Options{}, http.MethodPost, "/doubt", body, form)
		assert.Equal(t, http.StatusBadRequest, w.Code, body)
		assert.Contains(t, w.Body.String(), want)
	}
	w = ask(&exports{err: &shipper.ConflictError{Reason: "look <again>"}}, Options{}, http.MethodPost, "/doubt", said("2026-11-24T10:00:00Z", "false"), form)
	assert.Equal(t, http.StatusConflict, w.Code)
	assert.Contains(t, w.Body.String(), "look &lt;again&gt;")
	w = ask(&exports{}, Options{Token: "secret"}, http.MethodPost, "/doubt", said("2026-11-24T10:00:00Z", "true"), form)
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	form.Set("Sec-Fetch-Site", "cross-site")
	w = ask(&exports{}, Options{}, http.MethodPost, "/doubt", said("2026-11-24T10:00:00Z", "true"), form)
	assert.Equal(t, http.StatusForbidden, w.Code)
}

func TestThePageAsksWhatCloudZeroHolds(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-24T10:00:00Z", 1, 1)
	at := hour(t, "2026-11-24T10:00:00Z")
	d := shipper.Doubt{Sent: at.End().Add(723e9), Rows: 2, Cost: amount(t, "1.25"), Before: amount(t, "0.5")}
	e.state.Held = []shipper.HeldHour{{Hour: at, Rows: 3, Cost: amount(t, "2"), Reason: "the reason", Doubt: &d}}
	e.settings.ConnectionID = "connection-1"
	body := ask(e, Options{}, http.MethodGet, "/", "", nil).Body.String()
	for _, want := range []string{
		"<b>1.25 USD in 2 rows</b> for the hour <b>2026-11-24T10:00:00Z</b> (UTC) of connection <b>connection-1</b>",
		`<time datetime="2026-11-24T11:12:03Z"`, "<b>1.75 USD</b> if the addition took effect, and <b>0.5 USD</b> if not",
		`<form method="post" action="doubt"><input type="hidden" name="hour" value="2026-11-24T10:00:00Z"><input type="hidden" name="took_effect" value="true">`,
		"somebody has to look whether CloudZero took an addition",
	} {
		assert.Contains(t, body, want)
	}
	assert.NotContains(t, body, `id="held"`, "CloudZero does not refuse it")
	line := get(t, e, "/cloudzero/hours").Get("hours.0")
	assert.Equal(t, "held", line.Get("state").String())
	assert.Equal(t, "1.25", line.Get("doubt.cost").String())
	e.state.Held = nil
	assert.NotContains(t, ask(e, Options{}, http.MethodGet, "/", "", nil).Body.String(), "may have taken</h3>")
}
