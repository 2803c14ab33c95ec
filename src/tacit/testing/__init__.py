"""Conformance suites and problems with known answers, for tests of extensions; one module for each kind."""
