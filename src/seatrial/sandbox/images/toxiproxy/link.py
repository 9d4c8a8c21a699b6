"""One direction of a proxied connection: what is read at one end goes through the toxics to the other.

    reader ─▶ pipe ─▶ stage (toxic) ─▶ pipe ─▶ stage (toxic) ─▶ pipe ─▶ writer

Stages are made, changed and emptied while data flows. One whose toxic was removed stays and does nothing until the
next toxic takes its place, so a long-lived connection doesn't grow.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from seatrial.sandbox.images.toxiproxy.pipe import Chunk, Pipe
from seatrial.sandbox.images.toxiproxy.toxics import Nothing, ResetWanted, Toxic

_CHUNK_BYTES = 32 * 1024


@dataclass(frozen=True)
class ToxicSettings:
    """A toxic as it was added to a proxy: its name, direction and how many connections it befalls."""

    name: str
    toxic: Toxic
    stream: str = "downstream"
    toxicity: float = 1.0


class _Stage:
    """A place for one toxic, with a pipe on either side."""

    def __init__(self, source: Pipe, target: Pipe, randomness: random.Random, on_end: Callable[[bool], None]) -> None:
        self._source = source
        self._target = target
        self._randomness = randomness
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self.settings: ToxicSettings | None = None

    def run(self, settings: ToxicSettings | None) -> None:
        """Do this from here on, with the next chunk."""
        self.stop()
        self.settings = settings
        self._task = asyncio.create_task(self._carry(settings))

    def stop(self) -> None:
        """Do nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _carry(self, settings: ToxicSettings | None) -> None:
        befalls = settings is not None and self._randomness.random() < settings.toxicity
        toxic = settings.toxic if settings is not None and befalls else Nothing()
        try:
            await toxic.carry(self._source, self._target, self._randomness)
        except ResetWanted:
            self._on_end(True)
        else:
            self._source.end()
            self._target.end()


class Link:
    """Carries one direction from `start` until the stream is over or it is closed.

    Args:
        reader: where data comes from.
        writer: where it goes.
        toxics: those of this direction, in order.
        randomness: for toxicity and jitter.
        on_end: called once when the stream is over; with True when the connection is to be reset.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        toxics: list[ToxicSettings],
        randomness: random.Random,
        on_end: Callable[[bool], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._randomness = randomness
        self._on_end = on_end
        self._pipes = [Pipe()]
        self._stages: list[_Stage] = []
        self._ends: list[asyncio.Task[None]] = []
        self._drain: asyncio.Task[None] | None = None
        for settings in toxics:
            self._append(settings)

    def start(self) -> None:
        """Begin to carry."""
        self._ends = [asyncio.create_task(self._read())]
        self._drain = asyncio.create_task(self._write(self._pipes[-1]))

    def add(self, settings: ToxicSettings) -> None:
        """Let one more toxic befall this direction, after the others."""
        last = len(self._stages)
        while last and self._stages[last - 1].settings is None:
            last -= 1
        if last < len(self._stages):
            self._stages[last].run(settings)
            return
        self._append(settings)
        if self._drain is not None:
            self._drain.cancel()
            self._drain = asyncio.create_task(self._write(self._pipes[-1]))

    def update(self, settings: ToxicSettings) -> None:
        """Change a toxic."""
        for stage in self._stages:
            if stage.settings is not None and stage.settings.name == settings.name:
                stage.run(settings)

    def remove(self, name: str) -> None:
        """Take a toxic away."""
        for stage in self._stages:
            if stage.settings is not None and stage.settings.name == name:
                closes = stage.settings.toxic.closes_when_removed
                stage.run(None)
                if closes:
                    self._on_end(False)

    def close(self) -> None:
        """Carry nothing more."""
        for stage in self._stages:
            stage.stop()
        for task in (*self._ends, self._drain):
            if task is not None:
                task.cancel()

    def _append(self, settings: ToxicSettings) -> None:
        self._pipes.append(Pipe())
        stage = _Stage(self._pipes[-2], self._pipes[-1], self._randomness, self._on_end)
        self._stages.append(stage)
        stage.run(settings)

    async def _read(self) -> None:
        first, loop = self._pipes[0], asyncio.get_running_loop()
        try:
            while data := await self._reader.read(_CHUNK_BYTES):
                await first.put(Chunk(data, loop.time()))
        except OSError:
            pass
        first.end()

    async def _write(self, last: Pipe) -> None:
        try:
            while (chunk := await last.first()) is not None:
                self._writer.write(chunk.data)
                last.drop_first()
                await self._writer.drain()
        except OSError:
            pass
        self._on_end(False)
