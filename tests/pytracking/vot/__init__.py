"""Tests of the VOT adapters."""
