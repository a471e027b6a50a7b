"""Archives for the servers that score trackers: packed, and looked at as the server would."""
