"""The questions of each lesson; see `helpers.exercises` for how they are asked."""
