"""Take into the config what somebody changed by hand in a running cluster."""
