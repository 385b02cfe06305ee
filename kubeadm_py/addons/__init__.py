"""Load add-ons from data and render them: pure."""
