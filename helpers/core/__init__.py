"""Internals that no lesson imports: tracing, caching, progress bars, paths."""
