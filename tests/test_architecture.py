"""The house rules that no type checker knows."""

import ast
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "events": set[str](),
    "projections": {"events"},
    "actors": {"events", "projections"},
    "scripts": {"events", "projections", "actors"},
}
ONLY_IN = {
    "aiosqlite": {"events/connection.py"},
    "openai": {"actors/openai_model.py", "actors/openai_embedder.py"},
    "numpy": {"actors/semantic.py"},
    "cyclopts": {"scripts"},
    "rich": {"scripts"},
    "structlog": {"actors", "scripts"},
}


def sources(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).glob("**/*.py") if "typings" not in path.parts]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module))
    return found


def is_overload(node: ast.stmt) -> bool:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(isinstance(decorator, ast.Name) and decorator.id == "overload" for decorator in decorators)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_downwards(folder: str) -> None:
    for path in sources(folder):
        if "front" in path.parts:
            continue  # the front door: lazy re-exports of all floors
        for line, module in imports(path):
            first, _, rest = module.partition(".")
            assert first not in MAY_IMPORT, f"{path}:{line}: say callboard.{module}"
            if first == "callboard" and rest:
                assert rest.split(".")[0] in MAY_IMPORT[folder] | {folder}, f"{path}:{line}: {module}"


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_where_it_belongs(library: str) -> None:
    for folder in MAY_IMPORT:
        for path in sources(folder):
            name = path.relative_to(ROOT).as_posix()
            if {name, folder} & ONLY_IN[library]:
                continue
            assert library not in {module.split(".")[0] for _, module in imports(path)}, name


def test_every_folder_is_packaged() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        "callboard." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in MAY_IMPORT
        for path in (ROOT / folder).glob("**/__init__.py")
        if "front" not in path.parts
    }
    assert found | {"callboard"} == set(setuptools["packages"])


@pytest.mark.parametrize("name", [*MAY_IMPORT, "__init__.py"])
def test_type_checkers_see_the_folder(name: str) -> None:
    target = ROOT / ("actors/front/__init__.py" if name == "__init__.py" else name)
    assert (ROOT / "tests/typings/callboard" / name).resolve() == target


@pytest.mark.parametrize("folder", [*MAY_IMPORT, "tests"])
def test_files_and_functions_stay_small(folder: str) -> None:
    for path in sources(folder):
        assert path.read_text().count("\n") <= 400, path
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{path}:{node.lineno}"


def test_everything_public_is_described() -> None:
    for folder in MAY_IMPORT:
        for path in sources(folder):
            tree = parsed(path)
            assert ast.get_docstring(tree), path
            for node in tree.body:
                named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                if named and not node.name.startswith("_") and not is_overload(node):
                    assert ast.get_docstring(node), f"{path}:{node.lineno}: {node.name}"


def test_the_front_door_exports_what_it_names_and_loads_nothing_heavy() -> None:
    program = (
        "import sys, callboard\n"
        "heavy = {'openai', 'aiosqlite', 'rich', 'cyclopts'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from callboard import System, Agent\n"
        "heavy = {'openai', 'aiosqlite', 'cyclopts'} & set(sys.modules)\n"  # structlog loads rich
        "assert not heavy, heavy\n"
        "for name in callboard.__all__: getattr(callboard, name)\n"
        "assert sorted(callboard.__all__) == dir(callboard)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
