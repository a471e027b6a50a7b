"""The papers' one-dimensional study: two data sets, nine ways to train the same small network, one table."""
