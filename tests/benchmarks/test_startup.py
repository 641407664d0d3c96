from benchmarks.startup import closure, installed_packages


def test_closure_follows_requirements_but_not_unasked_extras():
    needed = closure("rich")
    assert {"rich", "markdown-it-py", "pygments"} <= needed
    assert "ipywidgets" not in needed


def test_core_packages_are_counted_without_torch():
    beside, of_torch = installed_packages()
    assert {"numpy", "polars", "typer"} <= set(beside)
    assert not set(beside) & {"torch", "deepwell", "pytest", "pandas", *of_torch}
