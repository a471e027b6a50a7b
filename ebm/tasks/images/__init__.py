"""Pictures in, a few numbers out: the papers' age and head pose, and how a task of one's own looks."""
