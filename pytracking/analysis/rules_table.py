"""The same result files under several protocols: a table of trackers by rules."""

from collections.abc import Sequence as List

from ebm.exceptions import EBMError
from pytracking.analysis.extract import Evaluation, evaluate
from pytracking.analysis.protocols import protocol_for, rules
from pytracking.analysis.scores import SCORES
from pytracking.analysis.sources import BoxSource
from pytracking.analysis.tables import Table
from pytracking.evaluation.data import Sequence

__all__ = ["chosen_rules", "evaluate_by_rules", "rules_table"]


def chosen_rules(text: str) -> tuple[str, ...]:
    """``all``, or names of protocols with commas.

    Raises:
        UnknownNameError: if there is no such rule.
    """
    if text.strip() == "all":
        return rules()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names or (text,):
        protocol_for(name, "")
    return names


def evaluate_by_rules(
    sequences: List[Sequence], sources: List[BoxSource], names: List[str], allow_missing: bool = False
) -> dict[str, Evaluation | EBMError]:
    """An evaluation by each rule, or why it does not score these results.

    Args:
        sequences: of one dataset.
        sources: runs of trackers.
        names: of protocols.
        allow_missing: leave out sequences that some tracker has no result of.
    """
    found: dict[str, Evaluation | EBMError] = {}
    for name in names:
        try:
            found[name] = evaluate(sequences, sources, rule=name, allow_missing=allow_missing)
        except EBMError as error:
            found[name] = error
    return found


def rules_table(found: dict[str, Evaluation | EBMError]) -> Table:
    """One row a tracker, one column a rule: its main score (AUC; AO by GOT-10k on its own set) in percent.

    Args:
        found: as `evaluate_by_rules` gives it.

    Raises:
        EBMError: if no rule scores the results.
    """
    done = {rule: item for rule, item in found.items() if isinstance(item, Evaluation)}
    if not done:
        raise next(error for error in found.values() if isinstance(error, EBMError))
    first = next(iter(done.values()))
    rows = []
    for label in [tracker.label for tracker in first.ranked()]:
        cells = [_cell(done[rule], label) if rule in done else "-" for rule in found]
        rows.append((label, *cells))
    main = SCORES[first.main_score]
    header = ("Tracker", *(_title(done.get(rule), rule, main) for rule in found))
    notes = [_note(rule, item) for rule, item in found.items()]
    return Table(f"{first.title}: {main} by protocol", header, tuple(rows), (*notes, *first.remarks))


def _cell(evaluation: Evaluation, label: str) -> str:
    tracker = next(tracker for tracker in evaluation.trackers if tracker.label == label)
    return f"{tracker.score(evaluation.main_score):.2f}"


def _title(evaluation: Evaluation | None, rule: str, main: str) -> str:
    score = SCORES[evaluation.main_score] if evaluation else main
    return rule if score == main else f"{rule} ({score})"


def _note(rule: str, item: Evaluation | EBMError) -> str:
    if not isinstance(item, Evaluation):
        return f"{rule}: not defined here ({item})"
    return (
        f"{rule}: {item.protocol.summary}. {item.unscored} of {item.frames} frames cannot be scored; the "
        f"annotation itself reaches {item.ceiling:.2f}."
    )
