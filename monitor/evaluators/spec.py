"""How an evaluator is asked for: ``kind:target#option#key=value``."""

import re
from dataclasses import dataclass

from monitor.errors import EvaluatorError

#: Requests that are not about faces: those that make scores or features, ...
OTHERS = r"(onnx|points):[^#]+(#.*)?|python:[\w.]+:[\w.]+"
#: ... and the one that makes features alone.
FEATURES_ALONE = r"inception:[^#]+"
#: What comes before their first colon.
KINDS = ("onnx", "python", "points", "inception")


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed request.

    Attributes:
        text: as it was asked for.
        kind: ``onnx``, ``python``, ``points``, ``inception``; "" for anything to do with faces.
        target: file or ``module:object``.
        options: what follows each ``#``, by key; "" where there is no ``=``.
    """

    text: str
    kind: str
    target: str
    options: dict[str, str]

    def refuse_other(self, *known: str) -> None:
        """Refuse options that are not `known`.

        Raises:
            EvaluatorError: there is one.
        """
        for option in self.options.keys() - set(known):
            there_are = f"there are {', '.join(known)}" if known else "it takes none"
            raise EvaluatorError(f"{self.text} has an unknown option {option!r}; {there_are}")

    def numbers(self, key: str, default: float) -> tuple[float, ...]:
        """The comma-separated numbers of an option.

        Raises:
            EvaluatorError: these are no numbers.
        """
        try:
            return tuple(map(float, self.options.get(key, str(default)).split(",")))
        except ValueError as error:
            raise EvaluatorError(
                f"{self.text}: {key} must be numbers separated by commas, such as {key}=0.5"
            ) from error

    def index(self, key: str) -> int | None:
        """The whole number ≥ 0 of an option, None without it.

        Raises:
            EvaluatorError: it is none.
        """
        value = self.options.get(key)
        if value is None:
            return None
        if not value.isdecimal():
            raise EvaluatorError(f"{self.text}: {key} must be a whole number from 0")
        return int(value)


def parse(text: str) -> Spec:
    """The request in `text`; one without a known kind is about faces."""
    kind, colon, rest = text.partition(":")
    if not colon or kind not in KINDS:
        return Spec(text, "", text, {})
    target, *options = rest.split("#")
    pairs = (option.partition("=") for option in options)
    return Spec(text, kind, target, {key: value for key, _, value in pairs})


def check_quality(text: str) -> str:
    """A request for what computes Q, if it is well-formed.

    Raises:
        ValueError: it is not; says what is expected.
    """
    if text != "faces" and not re.fullmatch(OTHERS, text):
        raise ValueError("expected faces, onnx:PATH, python:module:object or points:FILE.json")
    return text


def check_embedder(text: str) -> str:
    """A request for what makes the features of D, if it is well-formed; "" for the default.

    Raises:
        ValueError: it is not; says what is expected.
    """
    if parse(text).kind and not re.fullmatch(f"{FEATURES_ALONE}|{OTHERS}", text):
        raise ValueError(
            "expected onnx:PATH, python:module:object, points:FILE.json or inception:WEIGHTS.pth"
        )
    # The default of --quality: whatever network for faces the reference was made with.
    return "" if text == "faces" else text
