"""Files that can be trusted: checksums written with them, verified with their sizes before they are used."""
