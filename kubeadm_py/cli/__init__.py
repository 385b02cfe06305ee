"""Define the commands and their flags."""
