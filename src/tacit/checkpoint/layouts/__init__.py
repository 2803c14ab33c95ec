"""How publications name their parameters, one file for each: functions from their names to ours."""
