"""Take hosts into a cluster that runs: find it, trust it, ask it for what a join needs."""
