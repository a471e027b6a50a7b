"""Tables of the sequences that make up each benchmark, one JSON file a benchmark."""
