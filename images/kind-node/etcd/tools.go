//go:build tools

// Package tools pins the etcd server that goes into the kind node image.
package tools

import _ "go.etcd.io/etcd/server/v3"
