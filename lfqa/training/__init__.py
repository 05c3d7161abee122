"""Training of the two checkpoints: data preparation, warm starts, the retriever and the generator."""
