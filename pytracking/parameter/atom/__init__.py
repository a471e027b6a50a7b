"""Parameter sets of the ATOM tracker."""
