"""Write the reference pages of the helpers, out of their docstrings, without importing them."""

import ast
import re
from pathlib import Path

SPECIAL = re.compile(r"([\\*_\[\]<>#{}$|~])")
WIDE = 64  # letters of a line of code
ITEM = re.compile(r"^(\*{0,2}\w[\w ,*]*): (.+)$")


def modules(root):
    """Return {name: path} of the modules that `from helpers import ...` offers."""
    tree = ast.parse((root / "helpers" / "__init__.py").read_text(encoding="utf-8"))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_MODULES"
    )
    named = ast.literal_eval(found)
    paths = {name: root.joinpath(*dotted.split(".")) for name, dotted in named.items()}
    return {
        name: path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for name, path in sorted(paths.items())
    }


def page(name, path, root):
    """Return the page of one module, in Markdown."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = [f"# {name}", text(ast.get_docstring(tree))]
    for node in public(tree, path, root):
        parts += entry(node, name)
    return "\n\n".join(parts) + "\n"


def public(tree, path, root):
    """Yield the functions and classes of a module, and those that a package takes from its own."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ImportFrom) and path.name == "__init__.py":
            file = root.joinpath(*(node.module or "").split(".")).with_suffix(".py")
            if not (file.is_file() and file.is_relative_to(path.parent)):
                continue
            wanted = {alias.name for alias in node.names}
            for one in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name in wanted:
                    yield one


def entry(node, owner, level="##"):
    """Return the paragraphs on a function or class, and on its public methods."""
    kind = "class " if isinstance(node, ast.ClassDef) else ""
    parts = [f"{level} `{node.name}`", f"```python\n{kind}{owner}.{signature(node)}\n```"]
    parts.append(text(ast.get_docstring(node)))
    for one in getattr(node, "body", ()) if kind else ():
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
            parts += entry(one, node.name, level + "#")
    return [part for part in parts if part]


def signature(node):
    """Return a function's name and arguments; of a class, those of its `__init__`."""
    if isinstance(node, ast.ClassDef):
        made = [one for one in node.body if getattr(one, "name", "") == "__init__"]
        return node.name + (f"({without_self(made[0])})" if made else "")
    short = f"{node.name}({without_self(node)})"
    return (
        short if len(short) < WIDE else short.replace("(", "(\n    ", 1).replace(", *", ",\n    *")
    )


def without_self(node):
    """Return the arguments of a function or method as they are written."""
    return re.sub(r"^self(, )?", "", ast.unparse(node.args))


def text(docstring):
    """Return a docstring in Markdown: names of arguments in bold, all else as it is written."""
    parts = []
    for block in re.split(r"\n\s*\n", docstring or ""):
        lines = block.splitlines()
        if re.match(r"(Arguments\b.*|Returns|Raises):\n    ", block):
            parts.append(escaped(lines[0]))
            parts.append(items(lines[1:]))
        elif all(line.startswith("    ") for line in lines) and lines:
            named = items(lines) if ITEM.match(lines[0].strip()) else None
            parts.append(named or "```python\n" + "\n".join(x[4:] for x in lines) + "\n```")
        elif lines and ITEM.match(lines[0]) and _is_name(lines[0].split(":")[0]):
            parts.append(items(["    " + line for line in lines]))
        else:
            parts.append(escaped(block))
    return "\n\n".join(part for part in parts if part.strip())


def _is_name(words):
    """Return whether words before a colon name arguments, rather than begin a sentence."""
    return len(words.split()) <= 3 and words == words.lower()


def items(lines):
    """Return lines "    name: what it is", the longer ones indented, as a list."""
    found = []
    for line in lines:
        match = ITEM.match(line[4:])
        if match and not line.startswith("     "):
            found.append(f"- **{escaped(match[1])}**: {escaped(match[2])}")
        elif found:
            found[-1] += " " + escaped(line.strip())
        else:
            found.append("- " + escaped(line.strip()))
    return "\n".join(found)


def escaped(words):
    """Return text without Markdown of its own but for code between backticks."""
    parts = re.split(r"(``[^`]+``|`[^`]+`|(?<!\w)\*\w[^*]*\w\*(?!\w))", words)
    return "".join(SPECIAL.sub(r"\\\1", p) if k % 2 == 0 else p for k, p in enumerate(parts))


def write(root, folder):
    """Write a page for each module; return their names."""
    names = []
    for name, path in modules(Path(root)).items():
        Path(folder, f"reference_{name}.md").write_text(page(name, path, root), encoding="utf-8")
        names.append(f"reference_{name}")
    return names
