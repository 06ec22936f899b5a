"""The rules of the house: layers, docstrings, versions in step, quick import, data as described."""

import ast
import hashlib
import importlib.util
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "helpers"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=[path.relative_to(PACKAGE).as_posix() for path in MODULES]
)


def module_name(path):
    """The name under helpers: "cam" for cam.py, "exercises" for every file of that folder."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


# A module imports only from rows above its own, and from what stands before it in its own row.
ROWS = (
    ("core",),
    ("plotting", "drawn", "photos"),
    ("networks", "gradients"),
    ("training", "transfer", "worlds"),
    (
        "activations",
        "cam",
        "dreaming",
        "embedding",
        "perturbation",
        "regularization",
        "relevance",
        "saliency",
    ),
    ("metrics",),
    ("explorers", "check", "prefetch"),
    ("exercises", "progress"),
)
ORDER = [module for row in ROWS for module in row]
TOP_LEVEL = {
    ".ci", ".gitattributes", ".github", ".gitignore", "CITATION.cff", "CONTRIBUTING.md", "LICENSE",
    "Makefile", "README.md", "data", "environment.yml", "helpers", "notebooks", "pyproject.toml",
    "tests",
}  # fmt: skip


def tracked():
    """Every file that is, or would be, committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing says which files belong to it")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins():
    lines = (ROOT / ".ci" / "pins.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def helpers_imported(path):
    """The modules of helpers that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: import from helpers by its full name"
            if node.module == "helpers":
                yield from (alias.name for alias in node.names)
            elif node.module and node.module.startswith("helpers."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("helpers."))


@every_module
def test_a_module_imports_only_from_rows_above(path):
    own = module_name(path)
    assert own in ORDER, f"{own} has no place in ROWS: give it one"
    for name in helpers_imported(path):
        assert name in ORDER, f"{path.name} imports {name}, which is no module of helpers"
        within = name == own and path.parent != PACKAGE  # files of one folder know each other
        assert ORDER.index(name) < ORDER.index(own) or within, f"{path.name} imports {name}"


def imports_within(path, names):
    """The files of a folder that one of them imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        own = f"helpers.{path.parent.name}"
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(own):
            *_, last = node.module.split(".")
            yield from ({last, *(alias.name for alias in node.names)} & names) - {path.stem}


@pytest.mark.parametrize("folder", [path for path in sorted(PACKAGE.iterdir()) if path.is_dir()],
                         ids=lambda folder: folder.name)  # fmt: skip
def test_the_files_of_a_folder_import_each_other_in_one_direction(folder):
    files = {path.stem: path for path in folder.glob("*.py") if path.stem != "__init__"}
    left = {name: set(imports_within(path, set(files))) for name, path in files.items()}
    while left:
        free = {name for name, needs in left.items() if not needs & set(left)}
        assert free, f"these import each other in a circle: {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in free}


@every_module
def test_a_module_does_one_thing(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 420, f"{path.name} is long: does it still do one thing?"
    assert not re.search(r"noqa: *F", text), f"{path.name} hides an unused or shadowed name"


def test_the_package_is_small_enough_to_find_ones_way_in():
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 24, f"{len(entries)} entries in helpers/: {sorted(entries)}"


def test_each_lesson_has_one_name_everywhere():
    lessons = [path.stem[3:] for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert (PACKAGE / "exercises" / "exercise.py").is_file()
    questions = {path.stem for path in (PACKAGE / "exercises").glob("*.py")}
    assert questions == {*lessons, "answers", "exercise", "__init__"}
    explorers = {path.stem for path in (PACKAGE / "explorers").glob("*.py")}
    assert explorers - {"explorer", "background", "pages", "__init__"} <= set(lessons)


def public_definitions(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        yield f"{node.name}.{method.name}", method


@every_module
def test_public_docstrings_begin_with_one_sentence(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.name} does not say what it is for"
    for name, node in public_definitions(tree):
        first = (ast.get_docstring(node) or "").split("\n\n")[0]
        assert first, f"{path.stem}.{name} has no docstring"
        assert first.endswith("."), (
            f"{path.stem}.{name}: the first sentence has no full stop: {first}"
        )
        assert "\n" not in first, f"{path.stem}.{name}: the first sentence takes one line: {first}"


IMPORT = """
import sys, time
started = time.perf_counter()
import helpers
seconds = time.perf_counter() - started
print(seconds, *({"tensorflow", "keras", "matplotlib", "numpy", "IPython"} & set(sys.modules)))
"""


def run(code):
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return result.stdout.split()


def test_import_helpers_is_quick_and_loads_nothing_heavy():
    runs = [run(IMPORT) for _ in range(5)]
    assert all(len(words) == 1 for words in runs), f"import helpers also imports {runs[0][1:]}"
    assert statistics.median(float(words[0]) for words in runs) < 0.3


@pytest.mark.parametrize(
    "name",
    ["core.runtime", "drawn", "plotting", "worlds", "photos", "check", "prefetch"],
)
def test_modules_without_networks_leave_tensorflow_alone(name):
    assert run(f"import sys, helpers.{name}; print('tensorflow' in sys.modules)") == ["False"]


def test_helpers_names_what_lessons_import_and_says_what_there_is():
    import helpers

    assert set(helpers.__all__) == set(dir(helpers)) - {"__version__"}
    assert len(helpers.__all__) <= 24
    for name in set(helpers.__all__) - {"load_world"}:
        assert getattr(helpers, name).__name__ in (f"helpers.{name}", f"helpers.core.{name}")
    imported = set()
    for lesson in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(lesson, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        for line in re.findall(r"^from helpers import (.+)", source, re.MULTILINE):
            imported |= set(line.split(", "))
        assert "helpers.core" not in source, f"{lesson.name} reaches into helpers.core"
    assert imported <= set(helpers.__all__)
    assert helpers.load_world is helpers.worlds.load_world
    with pytest.raises(AttributeError, match="helpers has no 'salency'; it has: activations"):
        helpers.salency  # noqa: B018
    assert helpers.__version__ == project()["version"]


def test_environment_yml_is_in_step_with_pyproject():
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    by_pip = next(line["pip"] for line in lines if isinstance(line, dict))
    extras = project()["optional-dependencies"]
    expected = project()["dependencies"] + extras["lab"] + extras["imagenet"]
    assert sorted(by_pip) == sorted(expected)
    assert f"python{project()['requires-python']}" in lines


def test_citation_names_the_same_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project()["version"]


def test_pins_are_exact_and_satisfy_every_range():
    pinned = {}
    for pin in pins():
        (exact,) = pin.specifier
        assert exact.operator == "==" and pin.url is None and not pin.extras, str(pin)
        assert pin.name.lower() not in pinned, f"{pin.name} is pinned twice"
        pinned[pin.name.lower()] = exact.version
    alone = (ROOT / ".ci" / "imagenet.txt").read_text(encoding="utf-8").splitlines()[1:]
    extras = project()["optional-dependencies"]
    assert set(alone) < set(extras["imagenet"])
    wanted = set(extras["imagenet"]) - set(alone)
    for line in project()["dependencies"] + extras["lab"] + extras["test"] + sorted(wanted):
        need = Requirement(line)
        assert need.name in pinned, f"{need.name} has no pin"
        assert need.specifier.contains(pinned[need.name]), f"{need} against {pinned[need.name]}"


@pytest.mark.parametrize("part", ["libraries", "torch"])
def test_the_pins_of_lesson_11_are_exact_and_satisfy_its_extras(part):
    """Its libraries lie in folders of their own, so what `.ci/pins.txt` has is not repeated."""
    text = (ROOT / ".ci" / f"{part}.txt").read_text(encoding="utf-8")
    pinned = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            (exact,) = pin.specifier
            assert exact.operator == "==", line
            pinned[pin.name.lower()] = exact.version
    for line in project()["optional-dependencies"][part]:
        need = Requirement(line)
        assert need.specifier.contains(pinned[need.name]), f"{need} against {pinned[need.name]}"
    elsewhere = {pin.name.lower(): str(pin.specifier) for pin in pins()}
    for name, version in pinned.items():
        assert elsewhere.get(name, f"=={version}") == f"=={version}", name
    assert not re.search(r"://|--|@|\.org|\.com", text)


def test_what_is_installed_is_what_is_pinned():
    from importlib.metadata import version

    wrong = [
        f"{pin}, installed: {version(pin.name)}"
        for pin in pins()
        if (pin.marker is None or pin.marker.evaluate())
        and not pin.specifier.contains(version(pin.name))
    ]
    assert not wrong, "run make again: " + "; ".join(wrong)


def test_pins_name_no_host():
    text = (ROOT / ".ci" / "pins.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--|@|\.org|\.com", text)


def test_make_and_ci_take_the_same_steps():
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    kept = [step["with"]["path"] for step in job["steps"] if "upload" in step.get("uses", "")]
    assert kept == ["tests/browser/artefacts"]
    tested = project()["requires-python"]
    assert tested == f">={job['strategy']['matrix']['python'][0]},<3.14"


def test_make_without_a_target_lists_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    offered = set(re.findall(r"^make ([\w-]+)", shown.stdout, re.MULTILINE))
    assert offered == {
        "lab", "test", "test-all", "bench", "networks", "notebooks", "bundle", "book", "slides",
        "gif", "repo", "clean",
    }  # fmt: skip
    assert all(re.search(rf"^{target}:", text, re.MULTILINE) for target in offered)


def test_the_top_level_holds_what_a_newcomer_expects_and_no_more():
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert found <= TOP_LEVEL, f"not at the top level, please: {sorted(found - TOP_LEVEL)}"
    assert TOP_LEVEL <= found, f"missing: {sorted(TOP_LEVEL - found)}"


# Where packages come from is the installer's business, and paths of one machine are nobody's.
FORBIDDEN = re.compile(
    "|".join(("py" + r"pi\.(org|python)", "python" + "hosted", "/" + r"work/", "/ro" + "ot/"))
)


def test_no_file_names_a_package_host_or_a_path_of_one_machine():
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content:
            continue  # a picture, a network
        match = FORBIDDEN.search(content.decode("utf-8", errors="ignore"))
        assert match is None, f"{path.relative_to(ROOT)} names {match.group()}"


def test_every_file_in_data_is_listed_with_its_size_and_checksum():
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    row = r"^\|\s*`?([^|`\s]+)`?\s*\|\s*([\d,]+)\s*\|\s*`?([0-9a-f]{64})`?\s*\|"
    listed = {
        name: (int(size.replace(",", "")), digest)
        for name, size, digest in re.findall(row, readme, re.MULTILINE)
    }
    files = [p for p in tracked() if p.is_relative_to(ROOT / "data") and p.name != "README.md"]
    assert files, "data/ is empty"
    found = {}
    for path in files:
        content = path.read_bytes()
        name = path.relative_to(ROOT / "data").as_posix()
        found[name] = (len(content), hashlib.sha256(content).hexdigest())
    assert found == listed
    assert sum(size for size, _ in found.values()) < 25_000_000


def test_links_between_pages_lead_somewhere():
    link = re.compile(r"\]\((?!https?:|mailto:|#|data:|attachment:)([^)#\s]+)")
    pages = [path for path in tracked() if path.suffix in {".md", ".ipynb"}]
    assert pages
    for page in pages:
        for target in link.findall(page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_the_course_is_imported_from_this_checkout():
    assert Path(importlib.util.find_spec("helpers").origin).is_relative_to(ROOT)


PYTHON_STUB = """#!/bin/sh
# Answers like a Python: makes "environments" by copying itself, "installs" unless a file says no.
case "$*" in
    *version_info*) [ ! -e unsupported ] ;;
    *ensurepip*) [ ! -e no_venv ] ;;
    --version) echo Python 3.99 ;;
    "-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python
        echo made >>made ;;
    *"pip install"*imagenet.txt*) [ ! -e withdrawn ] ;;
    *"pip install"*) [ ! -e no_network ] ;;
esac
"""


@pytest.fixture
def install(tmp_path):
    """Run the real .ci/install in an empty checkout, on a stand-in for Python."""
    (tmp_path / ".ci").mkdir()
    for name in (".ci/install", ".ci/pins.txt", ".ci/imagenet.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    stub = tmp_path / "a python"
    stub.write_text(PYTHON_STUB)
    stub.chmod(0o755)

    def run_install(*conditions):
        for name in ("unsupported", "no_venv", "no_network", "withdrawn"):
            (tmp_path / name).unlink(missing_ok=True)
        for name in conditions:
            (tmp_path / name).touch()
        return subprocess.run(
            ["sh", tmp_path / ".ci/install"], env={"PATH": "/usr/bin:/bin", "PYTHON": str(stub)},
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run_install, tmp_path


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("unsupported", "needs Python 3.11, 3.12 or 3.13, and found Python 3.99"),
        ("no_venv", "apt-get install python3-venv"),
    ],
)
def test_install_says_in_words_which_python_is_wanted(install, condition, says):
    run_install, folder = install
    result = run_install(condition)
    assert result.returncode != 0 and says in result.stderr
    assert not (folder / ".venv").exists()


def test_an_environment_left_half_made_is_made_anew(install):
    run_install, folder = install
    cut_off = run_install("no_network")
    assert cut_off.returncode != 0 and "did not finish" in cut_off.stderr
    assert not (folder / ".venv" / ".installed").exists()
    assert run_install().returncode == 0
    assert (folder / ".venv" / ".installed").exists()
    assert (folder / "made").read_text() == "made\nmade\n"
    assert run_install().returncode == 0  # new pins: install again, into the same environment
    assert (folder / "made").read_text() == "made\nmade\n"


def test_installing_goes_on_without_the_imagenet_network(install):
    run_install, folder = install
    result = run_install("withdrawn")
    assert result.returncode == 0 and (folder / ".venv" / ".installed").exists()
    assert result.stderr.count("ImageNet network could not be installed") == 1


@pytest.mark.slow
def test_make_notebooks_writes_outputs_and_nothing_that_changes_from_run_to_run(tmp_path):
    new = nbformat.v4
    for name, code in (("good", "print(1 + 1)"), ("bad", "1 / 0")):
        notebook = new.new_notebook(cells=[new.new_code_cell(code)])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    before = (tmp_path / "bad.ipynb").read_bytes()
    command = [sys.executable, ROOT / ".ci" / "execute.py", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "bad.ipynb: failed, file unchanged" in result.stdout
    assert (tmp_path / "bad.ipynb").read_bytes() == before
    good = nbformat.read(tmp_path / "good.ipynb", as_version=4)
    assert good.cells[0].outputs[0].text == "2\n" and good.cells[0].execution_count == 1
    assert good.cells[0].metadata == {} and "version" not in good.metadata.language_info
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.ipynb", "good.ipynb"]
