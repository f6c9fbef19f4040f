# The images a kubeadm control plane starts, from binaries built out of Go modules.
# Build context: a folder with the binaries. One target an image; scripts/airspark/node_image.py
# tags them with the names that `kubeadm config images list` prints.
FROM debian:bookworm-slim AS tools
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends iptables iproute2 catatonit \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*

# kube-proxy needs iptables; the pod network and the storage helper need a shell: one image for all three.
FROM tools AS kube-proxy
COPY kube-proxy /usr/local/bin/

FROM scratch AS kube-apiserver
ENV PATH=/usr/local/bin
COPY kube-apiserver /usr/local/bin/

FROM scratch AS kube-controller-manager
ENV PATH=/usr/local/bin
COPY kube-controller-manager /usr/local/bin/

FROM scratch AS kube-scheduler
ENV PATH=/usr/local/bin
COPY kube-scheduler /usr/local/bin/

FROM scratch AS etcd
ENV PATH=/usr/local/bin
COPY etcd /usr/local/bin/

FROM scratch AS coredns
COPY coredns /coredns
ENTRYPOINT ["/coredns"]

FROM scratch AS local-path-provisioner
ENV PATH=/usr/local/bin
COPY local-path-provisioner /usr/local/bin/

# catatonit -P waits and reaps, which is all a pod sandbox has to do.
FROM scratch AS pause
COPY --from=tools /usr/bin/catatonit /catatonit
USER 65535:65535
ENTRYPOINT ["/catatonit", "-P"]
