"""Plan an add-on's life in the cluster: waited for, changed under a guard, taken out."""
