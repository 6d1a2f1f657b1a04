"""What a test case said: bounded texts, its outputs, its earlier tries, its attachments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from floe_tests.results.cases import ATTACHMENT, TEXT_BYTES, CaseResult
from floe_tests.results.formats.junit.words import Element

# Read more than a case keeps, so that the cut in the middle knows the end of most texts.
READ_CHARACTERS = 4 * TEXT_BYTES
_MAX_ATTACHMENTS = 50
_TITLES = {
    Element.STANDARD_OUTPUT: "standard output",
    Element.STANDARD_ERROR: "standard error",
}


@dataclass(slots=True)
class Text:
    """Character data of one element, bounded: the beginning, and the newest part of the rest."""

    most_characters: int = READ_CHARACTERS
    head: list[str] = field(default_factory=list[str])
    tail: str = ""
    head_characters: int = 0

    def add(self, data: str) -> None:
        """Take more of it."""
        if self.head_characters < self.most_characters:
            self.head.append(data)
            self.head_characters += len(data)
        else:
            self.tail = (self.tail + data)[-min(TEXT_BYTES, self.most_characters) :]

    def __str__(self) -> str:
        """Return what was kept."""
        return "".join(self.head) + self.tail


@dataclass(slots=True)
class Outputs:
    """What was printed, in the order of the file.

    Attributes:
        most: How many outputs are kept.
        most_characters: How much of the beginning of each, and of its end as well.
        texts: The outputs.
    """

    most: int = 10
    most_characters: int = READ_CHARACTERS
    texts: list[tuple[Element, Text]] = field(default_factory=list[tuple[Element, Text]])

    def opened(self, kind: Element) -> Text | None:
        """Add an output and return its text; None beyond the limit."""
        if len(self.texts) >= self.most:
            return None
        output = Text(self.most_characters)
        self.texts.append((kind, output))
        return output

    def of(self, kind: Element) -> Outputs:
        """Return those of a kind."""
        return Outputs(texts=[(each, text) for each, text in self.texts if each is kind])

    def __str__(self) -> str:
        """Return all of it."""
        return "\n".join(str(text) for _, text in self.texts)

    def last_line(self) -> str:
        """Return the last line of it that says something; empty where none does."""
        text = ATTACHMENT.sub("", str(self.texts[-1][1])) if self.texts else ""
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")

    def attachments(self) -> list[str]:
        """Return the paths of attachments that are named in it."""
        return [path for _, text in self.texts for path in ATTACHMENT.findall(str(text))]

    def sections(self, *, of: str = "") -> list[str]:
        """Return each output under its title, without the attachments.

        Args:
            of: Whose it is, where it is not the test's own.
        """
        return [
            section(f"{_TITLES[kind]}{of}", ATTACHMENT.sub("", str(text)).strip("\n"))
            for kind, text in self.texts
        ]


def section(title: str, text: str) -> str:
    """Return a text under its title; nothing where there is no text."""
    return f"--- {title} ---\n{text}" if text.strip() else ""


def joined(parts: list[str]) -> str:
    """Return the parts of a text that say something, with a blank line between them."""
    return "\n\n".join(part for part in parts if part.strip())


def attached(paths: list[str]) -> str:
    """Return the section that names attachments, each once."""
    names = [f"[[ATTACHMENT|{path.strip()}]]" for path in dict.fromkeys(paths)]
    return section("attachments", "\n".join(names[:_MAX_ATTACHMENTS]))


def tried(number: int, message: str, text: str) -> str:
    """Tell one failed try of a test in the text of its last one."""
    title = f"--- failed try {number} ---"
    told = [title, *([message] if message and message not in text else []), text]
    return "\n".join(part for part in told if part)


def with_earlier_try(last: CaseResult, earlier: CaseResult) -> CaseResult:
    """Return the last try of a test, with what the ones before it said: the last one decides."""
    number = earlier.reruns + last.reruns + 1
    first = tried(number, earlier.message, earlier.text)
    parts = [last.text, first] if last.outcome.is_failing else [first, last.text]
    return replace(
        last,
        seconds=earlier.seconds + last.seconds,
        message=last.message or earlier.message,
        text=joined(parts),
        reruns=number,
    )
