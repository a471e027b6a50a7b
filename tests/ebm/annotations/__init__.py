"""Files of annotated pictures."""
