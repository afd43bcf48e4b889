"""Printers: a program in, lines of code out."""
