"""Read YAML configs into a ResolvedCluster, with every problem named."""
