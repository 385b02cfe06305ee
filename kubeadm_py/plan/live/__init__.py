"""Ask a running cluster what it has: members, objects, add-ons."""
