"""Docker and its Compose from Debian, run from a tree of their own in name spaces of their own.

Nothing of it touches the machine: ports are published, and bridges and firewall rules made, in
a network name space from which no other host is reached; all its processes end with the first.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

PACKAGES = "docker.io,docker-cli,docker-compose,iptables,busybox-static"
SUITE = "trixie"
"""Debian's release with a Compose that knows `required: false` (2.20.2 or newer)."""


def make_tree(tree: Path) -> None:
    """Unpack the engine's packages into `tree`, and make of it what programs expect."""
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=extract", f"--include={PACKAGES}", SUITE, tree],
        check=True,
    )
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    for name in ("iptables", "ip6tables"):
        (tree / "usr/sbin" / name).symlink_to(f"{name}-nft")
    for name in ("proc", "run", "sys", "old", "root"):
        (tree / name).mkdir(exist_ok=True)


class Docker:
    """A running engine in `tree`, which sees the directories `shared` at their own paths."""

    def __init__(self, tree: Path, shared: Iterable[Path]) -> None:
        root = shlex.quote(str(tree))
        binds = "".join(
            f"mkdir -p {root}{place}\nmount --rbind -o ro {place} {root}{place}\n"
            for place in (shlex.quote(str(path)) for path in shared)
        )
        script = f"""
            set -e
            mount --make-rprivate /
            mount --bind {root} {root}
            mount -t proc proc {root}/proc
            mount --rbind /sys {root}/sys
            mount --rbind /dev {root}/dev
            mount -t tmpfs tmpfs {root}/run
            {binds}
            cd {root}
            pivot_root . old
            exec /usr/bin/busybox sh -c '
                busybox umount -l /old && busybox ip link set lo up && exec dockerd \\
                --exec-opt native.cgroupdriver=cgroupfs'
        """
        self._log = tree / "dockerd.log"
        spaces = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*spaces, "sh", "-c", script],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )

    def wait(self) -> bool:
        """Return whether the engine came up."""
        while self._process.poll() is None:
            if "API listen on" in self.log():
                return True
            time.sleep(0.1)
        return False

    def log(self) -> str:
        """Return what the engine said so far."""
        return self._log.read_text(errors="replace")

    def __call__(self, *command: str | Path, **environ: str) -> str:
        """Run a command among the engine's files and in its network; return what it prints."""
        (engine,) = psutil.Process(self._process.pid).children()
        done = subprocess.run(
            ["nsenter", f"--target={engine.pid}", "--mount", "--pid", "--net", "--root", *command],
            env={"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0, (
            f"{shlex.join(map(str, command))}: {done.stdout}\n{done.stderr}"
        )
        return done.stdout.strip()

    def get(self, url: str) -> str:
        """Return what is answered to a request from the engine's network."""
        return self("busybox", "wget", "-q", "-O", "-", url)

    def close(self) -> None:
        """End the engine and all that runs in it."""
        for engine in psutil.Process(self._process.pid).children():
            engine.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
