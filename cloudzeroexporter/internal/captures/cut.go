package captures

import "go.opentelemetry.io/collector/pdata/pmetric"

// CutMetrics cuts the histograms of a request into requests of one point each.
func CutMetrics(md pmetric.Metrics) (single []pmetric.Metrics) {
	for _, resource := range md.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, m := range scope.Metrics().All() {
				if m.Type() != pmetric.MetricTypeHistogram {
					continue
				}
				for _, point := range m.Histogram().DataPoints().All() {
					one := pmetric.NewMetrics()
					toResource := one.ResourceMetrics().AppendEmpty()
					resource.Resource().CopyTo(toResource.Resource())
					toScope := toResource.ScopeMetrics().AppendEmpty()
					scope.Scope().CopyTo(toScope.Scope())
					to := toScope.Metrics().AppendEmpty()
					to.SetName(m.Name())
					to.SetUnit(m.Unit())
					histogram := to.SetEmptyHistogram()
					histogram.SetAggregationTemporality(m.Histogram().AggregationTemporality())
					point.CopyTo(histogram.DataPoints().AppendEmpty())
					single = append(single, one)
				}
			}
		}
	}
	return single
}
