"""Readers, one module a file format: bytes or text in, documents out."""
