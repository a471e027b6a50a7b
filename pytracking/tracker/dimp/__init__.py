"""The DiMP tracker."""
