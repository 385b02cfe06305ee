"""Open where a run has its downloads and images from, and pin what it takes from there."""
