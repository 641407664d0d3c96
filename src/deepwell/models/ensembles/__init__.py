"""Ensembles: models made of many. Importing this package does not import torch."""
