"""The parts trackers are composed of: cropper, localisation, refiner, memory."""
