"""Train settings of the ATOM family."""
