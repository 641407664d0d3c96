"""Kinds of columns. The order is that in which they are tried when a column is recognised."""

from deepwell.catalog import Catalog
from deepwell.data.kinds.base import Blocks, Description, Kind, Layout, State
from deepwell.data.kinds.boolean import Boolean
from deepwell.data.kinds.category import Category
from deepwell.data.kinds.date import Date
from deepwell.data.kinds.image import Image
from deepwell.data.kinds.number import Number
from deepwell.data.kinds.text import Text
from deepwell.errors import ColumnError

KINDS: Catalog[Kind] = Catalog("kind", error=ColumnError)
KINDS.add("image", Image())
KINDS.add("date", Date())
KINDS.add("boolean", Boolean())
KINDS.add("number", Number())
KINDS.add("category", Category())
KINDS.add("text", Text())

__all__ = ["KINDS", "Blocks", "Description", "Kind", "Layout", "State"]
