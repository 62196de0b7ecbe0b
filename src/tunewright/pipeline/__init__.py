"""What crosses the stages: the recipe, and one file per verb."""
