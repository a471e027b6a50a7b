"""Tests of the task of detection."""
