"""Plan actions from a cluster and facts; one file a step."""
