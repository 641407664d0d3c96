"""Collect and prepare: from files and frames to arrays. NumPy and Polars only, never torch."""

from deepwell.data.check import check, rows_with_target
from deepwell.data.conform import conform
from deepwell.data.encoders import Encoders
from deepwell.data.infer import infer_schema
from deepwell.data.inspect import InspectionRow, inspect
from deepwell.data.kinds import KINDS
from deepwell.data.read import Source, read, read_table
from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.settings import DataSettings, EncodeSettings
from deepwell.data.split import Splits, SplitSettings, split, without_leaks
from deepwell.data.table import Table

__all__ = [
    "KINDS",
    "ColumnSpec",
    "DataSettings",
    "EncodeSettings",
    "Encoders",
    "InspectionRow",
    "Schema",
    "Source",
    "SplitSettings",
    "Splits",
    "Table",
    "check",
    "conform",
    "infer_schema",
    "inspect",
    "read",
    "read_table",
    "rows_with_target",
    "split",
    "without_leaks",
]
