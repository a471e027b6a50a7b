"""The training loop: epochs, schedule, checkpoints, progress, stopping and guards."""
