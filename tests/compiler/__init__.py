"""Tests of the line between a spec and the backends."""
