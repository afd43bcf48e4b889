"""The generated losses held against torch's own, sample by sample."""
