"""``ebmtrack regress TABLE``: fit, calibrate, score and report a table of a user's own."""
