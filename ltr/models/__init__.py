"""Networks: backbones, layers, target classifier, box regressor and the trackers built of them."""
