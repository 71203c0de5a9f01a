"""What an ablation will cost."""

from dataclasses import dataclass
from typing import Any

from cnnlab.training.cost import minutes


@dataclass(frozen=True)
class PlannedVariant:
    """One variant."""

    label: str
    there: int
    """Trainings that are done."""
    missing: int
    seconds: float
    """Of one training, about."""


@dataclass(frozen=True)
class AblationPlan:
    """Every variant, and all together."""

    name: str
    variants: tuple[PlannedVariant, ...]
    jobs: int

    @property
    def missing(self) -> int:
        """Trainings that are still to do."""
        return sum(one.missing for one in self.variants)

    @property
    def there(self) -> int:
        """Trainings that are done."""
        return sum(one.there for one in self.variants)

    @property
    def seconds(self) -> float:
        """Of all that is missing, one after the other: on a processor those at a time share its cores."""
        return sum(one.missing * one.seconds for one in self.variants)

    @property
    def sentence(self) -> str:
        """The plan in words."""
        count = "1 training" if self.missing == 1 else f"{self.missing} trainings"
        done = f", {self.there} are there already" if self.there else ""
        at_a_time = f"; {self.jobs} at a time share the machine, so that it is hardly less" if self.jobs > 1 else ""
        return f"{count} to do{done}: about {minutes(self.seconds)}, one after the other{at_a_time}."

    @property
    def lines(self) -> list[str]:
        """A line for each variant, and the sentence."""
        width = max(len(one.label) for one in self.variants)
        found = [
            f"{one.label:<{width}}  {one.there} there, {one.missing} to do, about {minutes(one.seconds)} each"
            for one in self.variants
        ]
        return [*found, self.sentence]

    def as_json(self) -> dict[str, Any]:
        """What `--plan --json` prints."""
        return {
            "config": self.name,
            "there": self.there,
            "missing": self.missing,
            "seconds": self.seconds,
            "variants": [vars(one) for one in self.variants],
        }
