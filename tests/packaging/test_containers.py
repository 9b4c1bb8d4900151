"""Dockerfile and compose file, held against linter, schema and the files they name."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import load_settings, store_url
from monitor.urls import parse_store

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def passes(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [TOOLS / program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


def interpolated(value: str, environ: dict[str, str]) -> str:
    """Fill in variables as Compose does, as far as the file uses its language."""

    def fill(found: re.Match[str]) -> str:
        name, form, other = found.groups()
        present = environ.get(name, "")
        match form:
            case ":-":
                return present or other
            case ":+":
                return other if present else ""
        return present

    pattern = re.compile(r"\$\{(\w+)(?:(:[-+])([^${}]*))?\}")
    while (filled := pattern.sub(fill, value)) != value:
        value = filled
    assert "${" not in value
    return value


def test_the_dockerfile_passes_its_linter() -> None:
    passes("hadolint", "--failure-threshold=style", "Dockerfile")


@pytest.mark.slow
def test_the_compose_file_keeps_the_schema() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_every_service_is_pinned_confined_and_local(services: dict[str, Any]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].partition(":")
        assert re.search(r"\d+\.\d+", tag), f"{name} is not pinned"
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "healthcheck" in service or name in {"agent", "bitcoind-owner"}, name


def test_every_mounted_path_exists(services: dict[str, Any]) -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    for service in services.values():
        for volume in service["volumes"]:
            origin = volume.split(":")[0]
            if origin.startswith("."):
                assert (ROOT / origin).exists(), f"{origin} does not exist"
            else:
                assert origin in volumes


def test_the_version_is_that_of_the_project(services: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services["agent"]["image"] == f"poolscope:{version}"
    assert f'image.version="{version}"' in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize(
    "password", ["", "s3", "pa:ss@w/rd%41?#[é ", "***", "0123"], ids=["none", *"abcd"]
)
def test_the_agent_understands_what_compose_tells_it(
    services: dict[str, Any],
    password: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"POSTGRES_PASSWORD": password} if password else {}
    for name, value in services["agent"]["environment"].items():
        monkeypatch.setenv(name, interpolated(value, environ))
    settings = load_settings()
    assert settings.source == "auto"
    store = store_url(settings, "")
    if password:
        url = parse_store(str(store))
        assert (url.user, url.password, url.host, url.path) == (
            *("poolscope", password, "postgres"),
            "/poolscope",
        )
    else:
        assert store == settings.data_dir / "mainnet.sqlite"
    (node,) = settings.bitcoind
    assert (node.url, node.zmq) == ("http://bitcoind:8332", "tcp://bitcoind:28332")
    mounts = [volume.split(":") for volume in services["agent"]["volumes"]]
    assert str(node.cookie).startswith(mounts[-1][1])


def test_grafana_finds_dashboards_and_databases(services: dict[str, Any]) -> None:
    mounted = dict(
        reversed(volume.removesuffix(":ro").split(":")) for volume in services["grafana"]["volumes"]
    )
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / mounted[str(home.parent)] / home.name).exists()
    for path in (ROOT / mounted["/etc/grafana/provisioning/dashboards"]).glob("*.yml"):
        for provider in yaml.safe_load(path.read_text())["providers"]:
            assert provider["options"]["path"] in mounted
    for path in (ROOT / mounted["/etc/grafana/provisioning/datasources"]).glob("*.yml"):
        for source in yaml.safe_load(path.read_text())["datasources"]:
            host, _, port = source["url"].removeprefix("http://").partition(":")
            assert (host, port) in {("prometheus", "9090"), ("postgres", "5432")}
            assert host in services


@pytest.mark.prometheus
def test_prometheus_takes_its_configuration(services: dict[str, Any], tmp_path: Path) -> None:
    for volume in services["prometheus"]["volumes"]:
        origin, place = volume.split(":")[:2]
        if origin.startswith("."):
            link = tmp_path / Path(place).relative_to("/etc/prometheus")
            link.symlink_to(ROOT / origin)
    config = tmp_path / "prometheus.yml"
    subprocess.run(["promtool", "check", "config", config], check=True)
    jobs = yaml.safe_load(config.read_text())["scrape_configs"]
    assert jobs[0]["static_configs"][0]["targets"] == ["agent:9431"]
