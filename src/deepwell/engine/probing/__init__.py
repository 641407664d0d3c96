"""Probing: short trainings on a copy of a network, to learn something about it before training."""
