"""What trainings share, whatever they train: requests to stop, and settings changed by name."""
