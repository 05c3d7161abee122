"""Documents and passages: reading, cutting, storing."""
