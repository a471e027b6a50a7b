"""Small numeric building blocks of the trackers."""
