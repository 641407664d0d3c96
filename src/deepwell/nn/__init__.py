"""Building blocks that torch.nn lacks. Import them from their files: this package is empty."""
