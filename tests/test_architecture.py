"""The layout shows the architecture: doors, cycles, sizes, docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "deepwell"
FILES = sorted(SOURCE.rglob("*.py"))

RANKS = {
    -1: ["errors", "types", "scratch", "version"],
    0: ["catalog", "files", "log"],
    1: ["config"],
    2: ["data", "nn"],
    3: ["models", "tasks"],
    4: ["engine"],
    5: ["runs"],
    6: ["evaluation", "artifact"],
    7: ["explain", "tuning", "compress", "registry", "serving"],
    8: ["monitoring"],
    9: ["workflows"],
    10: ["estimators", "testing"],
    11: ["cli"],
}
RANK_OF = {room: rank for rank, rooms in RANKS.items() for room in rooms}
CLOSED = {
    ("models", "data"),
    ("engine", "models"),
    ("engine", "data"),
    ("artifact", "engine"),
    ("artifact", "runs"),
    ("serving", "engine"),
    ("serving", "runs"),
    ("serving", "evaluation"),
    ("monitoring", "engine"),
    ("monitoring", "models"),
}
WITHOUT_TORCH = ("data", "serving", "monitoring")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "core"}
MAX_FILE, MAX_MODEL_FILE, MAX_FUNCTION, MAX_ARGUMENTS = 600, 400, 60, 8


def room_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0].removesuffix(".py")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(path: Path, *, with_types: bool = True) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if not with_types and is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, docstring apart."""
    has_docstring = ast.get_docstring(node) is not None
    body = node.body[1:] if has_docstring else node.body
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_every_room_has_a_rank():
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(RANK_OF), f"give these a rank: {rooms - set(RANK_OF)}"


def test_imports_go_through_open_doors():
    wrong: list[str] = []
    for path in FILES:
        room = room_of(path)
        if room in ("__init__", "__main__"):
            continue
        for module in imports(path):
            parts = module.split(".")
            if parts[0] != "deepwell" or len(parts) < 2 or parts[1] not in RANK_OF:
                continue
            other = parts[1]
            is_open = other == room or (
                RANK_OF[other] < RANK_OF[room] and (room, other) not in CLOSED
            )
            if not is_open:
                wrong.append(f"{path.relative_to(SOURCE)} imports {module}")
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_no_cycles_between_files():
    names = {path: module_name(path) for path in FILES}
    paths = {name: path for path, name in names.items()}
    edges = {
        name: {m for m in imports(path, with_types=False) if m in paths and m != name}
        for path, name in names.items()
    }
    # a package's __init__ re-exports its files, which may be imported through it
    edges = {n: {m for m in ms if not n.startswith(m + ".")} for n, ms in edges.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            pytest.fail("import cycle: " + " → ".join([*trail[trail.index(name) :], name]))
        if name in done:
            return
        for other in sorted(edges[name]):
            visit(other, (*trail, name))
        done.add(name)

    for name in sorted(edges):
        visit(name, ())


def module_name(path: Path) -> str:
    parts = ["deepwell", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("room", WITHOUT_TORCH)
def test_rooms_that_must_not_need_torch(room: str):
    for path in FILES:
        if room_of(path) == room:
            assert "torch" not in set(imports(path, with_types=False)), path


def test_sizes():
    wrong: list[str] = []
    for path in FILES:
        name = path.relative_to(SOURCE)
        lines = len(path.read_text(encoding="utf-8").splitlines())
        limit = MAX_MODEL_FILE if room_of(path) == "models" else MAX_FILE
        if lines > limit:
            wrong.append(f"{name} has {lines} lines, at most {limit}")
        for node in functions(path):
            is_option_list = room_of(path) == "cli"
            if body_lines(node) > MAX_FUNCTION:
                wrong.append(f"{name}:{node.lineno} {node.name} has {body_lines(node)} lines")
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([a for a in arguments if a.arg not in ("self", "cls")])
            if count > MAX_ARGUMENTS and not is_option_list:
                wrong.append(f"{name}:{node.lineno} {node.name} takes {count} arguments")
    assert not wrong, "\n".join(wrong)


def test_names_say_what_is_inside():
    for path in FILES:
        assert path.stem not in FORBIDDEN_NAMES, path
        assert path.parent.name not in FORBIDDEN_NAMES, path


def test_public_names_have_a_docstring():
    bare: list[str] = []
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            is_named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_named and not node.name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}")
    assert not bare, "\n".join(bare)


PIPES = {"workflows/lanes.py", "workflows/lane.py"}
"""Between a process and its own children, see docs/decisions/0019; no file is read there."""


def test_nothing_is_pickled():
    for path in FILES:
        modules = set(imports(path))
        is_pipe = str(path.relative_to(SOURCE)) in PIPES
        forbidden = {"joblib", "dill", "cloudpickle", "marshal"} | (
            set() if is_pipe else {"pickle"}
        )
        assert not modules & forbidden, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load"):
                options = {k.arg: ast.unparse(k.value) for k in node.keywords}
                is_safe = (
                    options.get("weights_only") == "True" or options.get("allow_pickle") == "False"
                )
                assert is_safe, f"{path}:{node.lineno}"
