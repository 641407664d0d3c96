"""Loggers: callbacks that pass losses and scores on to TensorBoard or MLflow."""
