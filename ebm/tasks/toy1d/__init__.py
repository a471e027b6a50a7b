"""The papers' one-dimensional study: two data sets, ten ways to train the same small network, one table."""
