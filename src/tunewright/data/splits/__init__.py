"""Which rows stand together, and in which part: splits for a run, folds for cross-validation."""
