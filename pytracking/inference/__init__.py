"""The form of a network that trackers run: batch norms folded, layouts and number formats for speed."""
