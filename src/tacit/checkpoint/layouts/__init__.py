"""How publications name their parameters, one file for each: pure functions from their names to ours."""
