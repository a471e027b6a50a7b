"""The ATOM tracker."""
