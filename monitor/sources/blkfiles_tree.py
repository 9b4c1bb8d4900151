"""Which of the blocks in a heap of them are the chain, and which are stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from hashing.header import BlockRef, sha256d
from hashing.params import NetworkParams
from hashing.target import decode_nbits, work_from_target
from monitor.sources.blkfiles_choice import Branch
from monitor.sources.blkfiles_records import Record


class Node:
    """A block in the tree; `work` counts from `root`, its oldest ancestor here.

    Flat, because there is one for each of a million blocks.
    """

    __slots__ = ("_offset", "_size", "file", "hash", "header", "height", "parent", "root", "work")

    def __init__(self, height: int, digest: bytes, record: Record, parent: Node | None) -> None:
        self.height = height
        self.hash = digest
        self.header = record.header
        self.put(record)
        self.hang(parent)

    def hang(self, parent: Node | None) -> None:
        """Put the block on another one, or make it a root."""
        work = _work(self.header[72:76])
        self.parent = parent
        self.root: Node = self if parent is None else parent.root
        self.work: int = work if parent is None else parent.work + work

    def put(self, record: Record) -> None:
        """Take note of where the block lies."""
        self.file, self._offset, self._size, _ = record

    @property
    def ref(self) -> BlockRef:
        """The block by height and hash."""
        return BlockRef(self.height, self.hash)

    @property
    def record(self) -> Record:
        """Where the block lies."""
        return Record(self.file, self._offset, self._size, self.header)


class _Trunk:
    """What grows from one root: the end with the most work, how many blocks, in which files."""

    __slots__ = ("count", "end", "files")

    def __init__(self, root: Node) -> None:
        self.end = root
        self.count = 0
        self.files: set[int] = set()

    def add(self, node: Node) -> None:
        self.count += 1
        self.files.add(node.file)
        if node.work > self.end.work:
            self.end = node


class BlockTree:
    """Links blocks that come in any order; the chain with the most work is the active one.

    Of two with the same work the one that came first stays. Blocks whose parent is not here
    wait for it, unless `adopt` makes one of them the root of the active chain; when its parent
    comes, the tree is one again.

    Parameters
    ----------
    pick:
        Chooses the record of a block that comes twice, given the former and the new one.
    """

    def __init__(
        self,
        params: NetworkParams,
        pick: Callable[[Record, Record], Record] = lambda _, new: new,
    ) -> None:
        self._genesis = sha256d(params.genesis_header)
        self._pick = pick
        self._nodes: dict[bytes, Node] = {}
        self._waiting: dict[bytes, dict[bytes, Record]] = {}
        self._doubtful: dict[bytes, Record] = {}
        self._ends: dict[bytes, Node] = {}
        self._trunks: dict[Node, _Trunk] = {}
        self._adopted: dict[bytes, list[Node]] = {}  # roots by the parent that is not here
        self._broken: dict[bytes, Record] = {}
        self._base: Node | None = None
        self._active: list[Node] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, block_hash: bytes) -> Node | None:
        """Return the linked block of a hash."""
        return self._nodes.get(block_hash)

    def add(self, record: Record) -> None:
        """Take in a block; of one that comes twice `pick` chooses.

        One of size 0, whose body does not read, is kept aside until another block builds on it.
        """
        digest = sha256d(record.header)
        known = self._nodes.get(digest)
        if known is not None:
            if known.record != record:
                known.put(self._picked(known.record, record))
                if known.record.size:
                    self._broken.pop(digest, None)
            return
        wait = self._waiting.get(record.header[4:36])
        if wait is not None and digest in wait:
            wait[digest] = self._picked(wait[digest], record)
            return
        if not record.size and digest not in self._waiting:
            self._doubtful[digest] = record
            return
        self._doubtful.pop(digest, None)
        self._place(digest, record)

    def _picked(self, former: Record, new: Record) -> Record:
        if former == new or not new.size:
            return former
        return self._pick(former, new) if former.size else new

    def _place(self, digest: bytes, record: Record) -> None:
        """Link a block, or let it wait; doubtful ones below it are believed now."""
        below = [(digest, record)]
        while (parent := below[-1][1].header[4:36]) not in self._nodes:
            if (found := self._doubtful.pop(parent, None)) is None:
                break
            below.append((parent, found))
        for one, its in reversed(below):
            above = self._nodes.get(its.header[4:36])
            if above is not None:
                self._link(one, its, above.height + 1, above)
            elif one == self._genesis:
                self._link(one, its, 0, None)
            else:
                self._waiting.setdefault(its.header[4:36], {})[one] = its

    def _link(self, digest: bytes, record: Record, height: int, parent: Node | None) -> None:
        """Put a block in its place, and those that waited for it."""
        todo = [(digest, record, height, parent)]
        while todo:
            digest, record, height, parent = todo.pop()
            node = Node(height, digest, record, parent)
            if parent is None:
                self._trunks[node] = _Trunk(node)
                if digest == self._genesis and self._base is None:
                    self._base = node
            else:
                self._ends.pop(parent.hash, None)
            self._nodes[digest] = self._ends[digest] = node
            if not record.size:
                self._broken[digest] = record
            self._trunks[node.root].add(node)
            for root in self._adopted.pop(digest, ()):
                self._join(root, node)
            children = self._waiting.pop(digest, {})
            todo += [(child, its, height + 1, node) for child, its in reversed(children.items())]

    def _join(self, root: Node, parent: Node) -> None:
        """Hang what grew from an adopted root on the parent that has come."""
        members = [node for node in self._nodes.values() if node.root is root]
        higher = parent.height + 1 - root.height
        trunk = self._trunks[parent.root]
        del self._trunks[root]
        self._ends.pop(parent.hash, None)
        for node in sorted(members, key=lambda node: node.height):
            node.height += higher
            node.hang(parent if node is root else node.parent)
            trunk.add(node)
        if self._base is root:
            self._base = parent.root
        self._active = []

    def doubt(self, record: Record) -> None:
        """Take note that the body of a record does not read (its size is 0).

        A block that nothing builds on is then none of the tree any more.
        """
        digest = sha256d(record.header)
        node = self._nodes.get(digest)
        if node is None or node.record[:2] != record[:2]:
            return
        node.put(record)
        self._broken[digest] = record
        while node.parent is not None and node.hash in self._ends and not node.record.size:
            del self._nodes[node.hash], self._ends[node.hash]
            self._doubtful[node.hash] = self._broken.pop(node.hash)
            below = node.parent
            if all(other.parent is not below for other in self._nodes.values()):
                self._ends[below.hash] = below
            trunk = _Trunk(node.root)
            for other in self._nodes.values():
                if other.root is node.root:
                    trunk.add(other)
            self._trunks[node.root] = trunk
            node = below

    def forget_doubtful(self, file: int, start: int) -> None:
        """Forget what did not read from an offset of a file on; it is looked at anew."""
        self._doubtful = {
            digest: record
            for digest, record in self._doubtful.items()
            if record.file != file or record.offset < start
        }

    def branches(self) -> Iterator[tuple[bytes, Branch]]:
        """Yield what is linked to no other block here, each piece with the hash of its root."""
        for root, trunk in self._trunks.items():
            length = trunk.end.height - root.height + 1
            work, files = trunk.end.work, frozenset(trunk.files)
            yield (
                root.hash,
                Branch(root.record, trunk.end.record, length, work, trunk.count, files),
            )
        inner = {digest for entries in self._waiting.values() for digest in entries}
        for parent, entries in self._waiting.items():
            if parent not in inner:
                for digest, record in entries.items():
                    yield digest, self._waiting_branch(digest, record)

    def _waiting_branch(self, digest: bytes, record: Record) -> Branch:
        end, most, length, count = record, 0, 0, 0
        files: set[int] = set()
        todo = [(digest, record, 1, 0)]
        while todo:
            digest, at, depth, work = todo.pop()
            work += _work(at.header[72:76])
            count += 1
            files.add(at.file)
            if work > most:
                end, most, length = at, work, depth
            children = self._waiting.get(digest, {})
            todo += [(child, its, depth + 1, work) for child, its in reversed(children.items())]
        return Branch(record, end, length, most, count, frozenset(files))

    @property
    def linked(self) -> bytes | None:
        """The hash of the genesis block, if it is here."""
        return self._genesis if self._genesis in self._nodes else None

    @property
    def base(self) -> bytes | None:
        """The hash of the root of the active chain."""
        return self._base.hash if self._base else None

    def adopt(self, digest: bytes, height: int) -> None:
        """Make the block `digest` the root of the active chain; it waited, or is a root."""
        root = self._nodes.get(digest)
        if root is None:
            parent = next(parent for parent, its in self._waiting.items() if digest in its)
            record = self._waiting[parent].pop(digest)
            if not self._waiting[parent]:
                del self._waiting[parent]
            self._link(digest, record, height, None)
            root = self._nodes[digest]
            self._adopted.setdefault(parent, []).append(root)
        if self._base is not root:
            self._base, self._active = root, []

    def settle(self) -> None:
        """Bring the active chain up to the blocks that were added."""
        path: list[Node] = []
        node = self._trunks[self._base].end if self._base else None
        first = self.first_height
        while node is not None:
            place = node.height - first
            if 0 <= place < len(self._active) and self._active[place] is node:
                break
            path.append(node)
            node = node.parent
        keep = 0 if node is None else node.height - first + 1
        self._active[keep:] = reversed(path)

    @property
    def first_height(self) -> int:
        """Height of the oldest block of the active chain."""
        return self._active[0].height if self._active else 0

    @property
    def best(self) -> Node | None:
        """The end of the active chain."""
        return self._active[-1] if self._active else None

    def stale(self) -> list[BlockRef]:
        """Return the other ends of the tree that the active chain grew from."""
        best = self.best
        if best is None:
            return []
        ends = (node for node in self._ends.values() if node is not best)
        return [node.ref for node in ends if node.root is best.root]

    def active(self, start: int, count: int) -> list[Node]:
        """Return up to `count` blocks of the active chain from height `start` on."""
        place = start - self.first_height
        return self._active[place : place + max(0, count)] if place >= 0 else []

    def damaged(self) -> Iterator[Record]:
        """Yield the records that do not read and of whose block there is no other one."""
        yield from self._broken.values()
        yield from self._doubtful.values()


@cache
def _work(nbits: bytes) -> int:
    return work_from_target(decode_nbits(int.from_bytes(nbits, "little")))
