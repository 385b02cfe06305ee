"""Real clusters on one small machine: artifacts, nodes and the cluster file that fits them."""
