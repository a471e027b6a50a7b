"""One HTML page to look at an evaluation: sequences to sort, overlap over time, boxes played back."""
