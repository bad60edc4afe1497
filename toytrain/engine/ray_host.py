"""Workers as actors of a Ray cluster, in place of processes of this machine (`ray` in classroom.toml).

The Worker is the same, and the pool sees the same handle: commands are written, messages are read, and a
dead actor reads as the end of a file (compare local_host). Ray is optional: requirements-ray.txt.
"""

import os
import pickle
import queue
import threading
from pathlib import Path
from typing import Any

from ..errors import ToytrainError

# An actor runs calls of one group in their order, and those of two groups beside each other.
GROUPS = {"commands": 1, "messages": 1}


def connect(address: str) -> int:
    """Join the cluster at an address, or start one on this machine for "local": how many cores it has."""
    try:
        import ray
    except ImportError as error:
        raise ToytrainError(
            "classroom.toml asks for Ray, which is not installed; pip install -r requirements-ray.txt."
        ) from error
    if not ray.is_initialized():
        ray.init(
            address=None if address == "local" else address,
            include_dashboard=False,
            log_to_driver=False,
            # Each node gets this package; what it imports must be installed there in the same versions.
            runtime_env={
                "py_modules": [str(Path(__file__).parents[1])],
                "env_vars": {"OMP_NUM_THREADS": "1"},
            },
        )
    return int(ray.cluster_resources().get("CPU", 1))


class Actor:
    """Inside the cluster: the loop of `process.carry` on a thread, its commands and messages as calls."""

    def __init__(self):
        self._commands: queue.SimpleQueue = queue.SimpleQueue()
        self._messages: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._carry, daemon=True).start()

    def pid(self) -> int:
        return os.getpid()

    def write(self, command: bytes) -> None:
        self._commands.put(pickle.loads(command))

    def read(self) -> list[bytes]:
        """All messages since the last call, at least one."""
        messages = [self._messages.get()]
        while not self._messages.empty():
            messages.append(self._messages.get())
        if messages[-1] is None:
            raise RuntimeError("the worker has ended")
        return messages

    def _carry(self) -> None:
        from .process import carry

        try:
            carry(self._commands, lambda message: self._messages.put(pickle.dumps(message)))
        finally:
            self._messages.put(None)


class RayActor:
    """The pool's handle of an actor, used as a LocalProcess is."""

    def __init__(self) -> None:
        import ray

        self._ray = ray
        self._actor: Any = ray.remote(num_cpus=1, concurrency_groups=GROUPS)(Actor).remote()
        self._unread: list[bytes] = []
        self._ended = False

    @property
    def pid(self) -> int:
        return self._ray.get(self._actor.pid.remote())

    def write(self, command: tuple) -> None:
        self._actor.write.options(concurrency_group="commands").remote(pickle.dumps(command))

    def read(self) -> tuple:
        while not self._unread:
            try:
                self._unread = self._ray.get(self._actor.read.options(concurrency_group="messages").remote())
            except Exception as error:  # whatever ended it: the pool starts another
                self._ended = True
                raise EOFError from error
        return pickle.loads(self._unread.pop(0))

    def close(self) -> None:
        self.kill()

    def kill(self) -> None:
        self._ray.kill(self._actor)
        self._ended = True

    def poll(self) -> int | None:
        return 0 if self._ended else None

    def wait(self, timeout: float | None = None) -> int:
        return 0
