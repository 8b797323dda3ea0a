"""Finds the files of a recorded log, on this machine or in a store, and turns each into lines that an engine reads."""
