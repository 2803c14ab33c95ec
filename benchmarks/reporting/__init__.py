"""The sections of RESULTS.md, each written from one result file."""
