#!/bin/sh
# The proxy answers a TLS handshake, which it does while Spark listens behind it.
#
#   $1   port
#   $2   if given, the certificate that it must serve: one that was renewed in its Secret has the proxy restarted
set -u

fingerprint() { openssl x509 -noout -fingerprint -sha256 2>/dev/null; }

served=$(openssl s_client -connect "[$POD_IP]:$1" -alpn h2 </dev/null 2>/dev/null | fingerprint)
[ -n "$served" ] || { echo "port $1 answers no TLS handshake: the Connect server behind it does not listen yet"; exit 1; }
[ $# -lt 2 ] || [ "$served" = "$(fingerprint <"$2")" ] || { echo "port $1 serves another certificate than $2: it was renewed"; exit 1; }
