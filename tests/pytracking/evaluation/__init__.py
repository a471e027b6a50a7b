"""Tests of pytracking.evaluation."""
