"""What a model is worth: quality beside trivial baselines, each number with its interval."""
