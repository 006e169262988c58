"""Raw rows made usable, and those set apart that are not."""
