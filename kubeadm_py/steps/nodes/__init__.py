"""Plan what the API says of nodes: labels and taints, waits for them, and how they leave."""
