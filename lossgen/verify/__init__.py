"""Proving generated code: running what was generated against its formula."""
