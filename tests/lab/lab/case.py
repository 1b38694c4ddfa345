# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case is, and where the cases are found."""

import importlib.util
import pathlib
from dataclasses import dataclass
from typing import Callable


class CaseFailed(AssertionError):
    """Something that a case asked for did not hold; the text says what."""


@dataclass
class Case:
    """One case: its function and what the runner must know before it runs it."""
    name: str
    title: str
    bound: float
    guests: int
    function: Callable
    path: pathlib.Path


def case(title: str, bound: float = 120, guests: int = 1) -> Callable:
    """Declare the function below it as a case."""
    def mark(function: Callable) -> Callable:
        function.lab_case = (title, bound, guests)
        return function
    return mark


def load_cases(path: pathlib.Path) -> list[Case]:
    """The cases of one file, in the order in which they stand there."""
    spec = importlib.util.spec_from_file_location(f"lab_case_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [Case(f"{path.stem}.{name}", *function.lab_case, function, path)
            for name, function in vars(module).items()
            if hasattr(function, "lab_case") and function.__module__ == module.__name__]
