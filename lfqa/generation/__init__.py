"""Writing an answer: the prompt, the engines that run BART, and extraction."""
