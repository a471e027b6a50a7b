"""Learning tracking representations: data, networks, actors, trainers and train settings."""
