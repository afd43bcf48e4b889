"""Tests of the command line and of everything that touches the user's files."""
