"""What the EBMTrack plugin adds to PyTracking's training: noise-contrastive box energies that call `ebm`."""
