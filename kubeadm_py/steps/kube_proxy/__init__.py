"""Plan how kube-proxy is replaced while Services stay, and that it runs with what the cluster has."""
