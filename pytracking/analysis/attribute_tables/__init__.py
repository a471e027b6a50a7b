"""Tables of the benchmarks: which sequence shows which difficulty."""
