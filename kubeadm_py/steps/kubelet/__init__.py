"""Plan a kubelet's start, its way into the cluster, and its certificates."""
