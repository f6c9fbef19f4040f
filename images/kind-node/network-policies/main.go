// Command network-policies decides about the first packet of each connection, as the NetworkPolicies of the cluster say.
//
// The packets come by a queue of netfilter that rules of iptables fill: they need NFQUEUE alone, where the nftables
// rules of kube-network-policies need a part of the kernel that not every one has.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// The controller keeps nftables rules for the pods of its node. No pod is on a node of this name, so it keeps none.
const noNode = "none"

func main() {
	queue := flag.Int("queue", 98, "number of the queue")
	flag.Parse()
	if err := run(*queue); err != nil {
		log.Fatal(err)
	}
}

func run(queue int) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(
		client,
		factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(), factory.Core().V1().Pods(),
		nil, nil, nil, nil,
		networkpolicy.Config{QueueID: queue, NodeName: noNode},
	)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	return controller.Run(ctx)
}
