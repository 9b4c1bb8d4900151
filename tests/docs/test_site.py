"""The documentation as a site: it builds without a warning, and nothing is left out of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import click
import pytest
import yaml

from analyzers.figures import MEASURES
from monitor.answers.schema import commands_schema
from monitor.answers.vocabulary import ENDINGS, WORDS
from monitor.cli import COMMANDS, answers, cli
from monitor.web import openapi

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Site:
    """The built site, and what MkDocs had to say about it."""

    path: Path
    warnings: list[str]

    def page(self, name: str) -> str:
        return (self.path / name).read_text("utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    path = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--no-strict", "--site-dir", path],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Site(path, re.findall(r"^(?:WARNING|ERROR) .*", done.stderr, re.MULTILINE))


@pytest.mark.slow
def test_every_link_leads_somewhere_and_a_menu_to_every_page(site: Site) -> None:
    assert site.warnings == []


def test_every_command_has_its_line(site: Site) -> None:
    page = re.sub(r"</?code>", "", site.page("cli.html"))
    assert all(f"<td>{name}</td>" in page for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_site_explains_every_option(site: Site, name: str) -> None:
    page = unescape(re.sub(r"<[^>]+>", "", site.page("cli.html")))
    text = page.partition(f"Usage: poolscope {name} ")[2]
    text = text.partition("Usage: poolscope")[0]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert "Examples:" in text
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"
            assert parameter.opts[-1] in text, f"{parameter.opts[-1]} of {name} is not in the site"


def test_the_site_explains_every_answer_of_the_api(site: Site) -> None:
    page = site.page("api.html")
    schemas = json.loads(openapi.document())["components"]["schemas"]
    for name, schema in schemas.items():
        assert f'id="{name.lower()}"' in page, name
        for field in schema["properties"]:
            assert f"<code>{field}</code>" in page, f"{name}.{field}"


def test_the_site_explains_every_answer_of_commands(site: Site) -> None:
    page = site.page("cli.html")
    found = commands_schema(answers())
    for name in found["commands"]:
        assert f"<code>{name}</code>" in page
    for name, schema in found["$defs"].items():
        for field in schema.get("properties", ()):
            assert f'id="{name.lower()}"' in page, name
            assert f"<code>{field}</code>" in page, f"{name}.{field}"


def test_the_site_shows_the_vocabulary(site: Site) -> None:
    page = site.page("api.html")
    for name in (*WORDS, *(f"…{ending}" for ending in ENDINGS)):
        assert f"<code>{name}</code>" in page


def test_the_site_explains_every_measure(site: Site) -> None:
    page = unescape(site.page("methods.html"))
    for measure in MEASURES:
        assert f"<code>{measure.name}</code>" in page
        assert measure.help in page


@pytest.mark.parametrize("package", ["hashing", "analyzers"])
def test_the_site_shows_every_module_of_the_libraries(site: Site, package: str) -> None:
    shown = "".join(page.read_text("utf-8") for page in (site.path / "python").glob("*.html"))
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if "kernels" not in path.parts:
            assert f'id="{name}"' in shown, name


def test_the_site_asks_no_other_host(site: Site) -> None:
    page = site.page("index.html")
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?https?:[^\">]+", page) == []


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"]
    for field in ("version", "license"):
        assert citation[field] == project[field]


def test_the_front_door_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / link.partition("#")[0]).exists()]
    assert links
    assert missing == []
