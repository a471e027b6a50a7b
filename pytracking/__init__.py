"""Online trackers, benchmark runners, evaluation protocols and reports."""
