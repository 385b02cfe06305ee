"""Define each command's flags, one module a verb; what they do is in cli/verbs, imported when it runs."""
