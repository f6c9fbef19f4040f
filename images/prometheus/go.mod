// go.sum holds what the server and promtool take: rm go.sum; go list -mod=mod -deps -tags remove_all_sd <both packages>
module airspark.local/prometheus

go 1.26.0

require github.com/prometheus/prometheus v0.315.0

// Prometheus' own, without which it does not build from outside.
replace cloud.google.com/go => cloud.google.com/go v0.123.0
