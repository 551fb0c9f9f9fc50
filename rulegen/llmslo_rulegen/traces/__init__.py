"""What traces tell of LLM calls: readers of every format, one value a call."""
