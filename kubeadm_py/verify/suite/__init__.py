"""Check a live cluster: hosts, cluster, workloads."""
