"""What is changed in the graph of a step before torch's compiler writes its loops."""

from __future__ import annotations

from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files
from torch.fx import Graph

from deepwell.engine import graph_nodes, products, row_sums


class StepPass(CustomGraphPass):
    """A pass over the graph of a step on a processor."""

    def __call__(self, graph: Graph) -> None:
        """Change the graph in place."""
        products.change_products(graph)
        row_sums.change_row_sums(graph)

    def uuid(self) -> bytes:
        """Return what tells this version from others; torch keeps compiled graphs by it."""
        files = (__file__, graph_nodes.__file__, products.__file__, row_sums.__file__)
        return get_hash_for_files(files)
