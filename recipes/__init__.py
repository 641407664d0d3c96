"""Recipes: settings with the scores that they must reach, on real data, with seeds."""
