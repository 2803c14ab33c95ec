"""Layouts of publications, one file for each: functions from their names of parameters to ours."""
