"""Parameter sets of the DiMP tracker."""
