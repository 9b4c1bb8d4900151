"""Stand-ins for the images of others that docker-compose.yml names, made of what is installed.

They prove our side only: mounts, users, environment, networks, health checks, order.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.support.docker import Docker
from tests.support.postgres import server_programs

IMAGES = Path(__file__).parent / "images"


def lay_out(place: Path, busybox: Path) -> None:
    """Make a folder below `place` for each stand-in, from which its image can be built."""
    shutil.copytree(IMAGES, place, dirs_exist_ok=True)
    for folder in place.iterdir():
        _copy(busybox, folder / "parts/usr/bin/busybox")
    prometheus = shutil.which("prometheus")
    postgres = server_programs()
    assert prometheus
    assert postgres
    _copy(Path(prometheus), place / "prometheus/parts/bin/prometheus")
    _copy_libraries([Path(prometheus)], place / "prometheus/parts")
    parts = place / "postgres/parts"
    # Programs and what they read find each other by the places that Debian built in.
    share = Path("/usr/share/postgresql") / postgres.parent.name
    for tree in (postgres.parent, share):
        shutil.copytree(tree, parts / tree.relative_to("/"), ignore=_unused)
    _copy_libraries(postgres.iterdir(), parts)
    (parts / "bin").mkdir()
    (parts / "bin/programs").symlink_to(postgres)
    shutil.copytree(Path(yaml.__file__).parent, place / "grafana/parts/usr/share/grafana/yaml")


def build(docker: Docker, place: Path, tags: dict[str, str], agent: str) -> None:
    """Build what was laid out, under the names of `tags`."""
    for folder in place.iterdir():
        docker(
            *("docker", "build", "--quiet", "--network=none", f"--build-arg=AGENT={agent}"),
            *(f"--tag={tags[folder.name]}", folder),
            DOCKER_BUILDKIT="0",  # its newer builder is a package more
        )


def _unused(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in {"bitcode", "llvmjit.so", "man", "pgxs"}]


def _copy_libraries(programs: Iterable[Path], parts: Path) -> None:
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    for path in set(re.findall(r"(/\S+) \(0x", listed.stdout)):
        _copy(Path(path), parts / os.path.relpath(path, "/"))


def _copy(origin: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(origin, copy)
