"""Conformance suites and worlds with known answers, for tests of extensions: one module for each kind of part."""
