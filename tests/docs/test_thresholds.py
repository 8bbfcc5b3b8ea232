"""Every number of the page on thresholds is its artifact's, which is of the plans there are."""

from __future__ import annotations

from typing import Any

from essay_scoring.core.files import read_json
from essay_scoring.core.number_text import MISSING, number, share
from essay_scoring.judging.plans import load_plan
from essay_scoring.judging.power import FIGURES
from essay_scoring.reports.table_cells import markdown_table
from tests.conftest import ROOT
from tests.docs.quoted import changed_digits, interval, is_quoted, numbers_left

Row = dict[str, Any]

PAGE = (ROOT / "docs" / "thresholds.md").read_text(encoding="utf-8")
RECORD: Row = read_json(ROOT / "docs" / "results" / "thresholds.json")
GATES = {name: gate for gate in RECORD["gates"] for name in gate["plans"]}
[FIGURE] = RECORD["figures"]
WORDS = {"95%", "80%", *(f"`{name}`" for name in GATES)}
"""Words with digits that are no figures: the level, the power asked for, names of gates."""

ALIKE = "errors correlated 0.95"
MOST = "four times the prompts"
MORE = ("as it is", "four times the essays", "twice the prompts", MOST)


def condition(conditions: list[Row], name: str = "as it is") -> Row:
    [found] = [one for one in conditions if one["name"] == name]
    return found


def check(gate: Row, metric: str, name: str = "as it is") -> Row:
    """Return what a gate's check, or a figure, showed in a condition."""
    checks: list[Row] = condition(gate["conditions"], name)["checks"]
    [found] = [one for one in checks if one["metric"] == metric]
    return found


def rate(row: Row) -> str:
    return f"{share(row['rate'])} [{share(row['low'])}, {share(row['high'])}]"


def needed(power: Row | None) -> str:
    """Return a smallest difference with its interval, none, or that it was not reached."""
    if power is None:
        return MISSING
    if power["delta"] is None:
        return f"> {number(power['tried'], sign=True)}"
    if power["delta"] == 0:
        return "none needed"
    return interval({**power, "estimate": power["delta"]}, sign=True)


def noise(gate: Row, metric: str, name: str) -> str:
    return number(check(gate, metric, name)["noise"]["sd"])


def prompts(row: Row, difference: float | None = None) -> str:
    """Return how many prompts show a difference, or a guardrail's own threshold."""
    found = {one["difference"]: one["prompts"] for one in row["prompts_needed"]}
    many = found.get(difference or -row["delta_at_least"])
    return MISSING if many is None else str(many)


def inside(row: Row) -> bool:
    """Return whether a threshold lies where the deltas of 95% of equal pairs lie."""
    return bool(row["noise"]["low"] < row["delta_at_least"] < row["noise"]["high"])


def most_on_the_worst(row: Row) -> Row:
    """Return how candidates fared that gained most on the worst prompts and nothing elsewhere."""
    own: list[Row] = [one for one in row["curve"] if one["scenario"] == "worst_prompts"]
    return max(own, key=lambda one: float(one["gain"]))


def gates_table() -> str:
    gates = [(gate["plans"], gate["rule"], gate["conditions"]) for gate in RECORD["gates"]]
    gates.append((["with room"], "interval", FIGURE["with_room"]["conditions"]))
    rows = []
    for names, rule, conditions in gates:
        now, *more = (condition(conditions, name) for name in MORE)
        figure = FIGURES[now.get("metric", "pooled_qwk")]
        told = ", ".join(f"`{name}`" if name in GATES else name for name in names)
        equals = now["passes_equals"]
        cells = [told, rule, f"{rate(equals)} of {equals['n']}", figure, needed(now["detectable"])]
        rows.append([*cells, *(needed(one["detectable"]).split(" [")[0] for one in more)])
    header = ("gate", "rule", "passes equal scorers [95%]", "figure")
    tail = ("passes 80% of those better by [95%]", *(f"with {name}" for name in MORE[1:]))
    return markdown_table((*header, *tail), rows)


def checks_table() -> str:
    """Return a row for each check; what two gates of a scheme ask alike stands there once."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for gate in RECORD["gates"]:
        for row in condition(gate["conditions"])["checks"]:
            luck, guards = row["noise"], row["kind"] == "guardrail"
            cells = [FIGURES[row["metric"]], number(row["delta_at_least"], sign=True)]
            cells += [number(luck["sd"])]
            cells += [number(luck[end], sign=True) for end in ("low", "high")]
            cells += [share(row["passes_equals"]["rate"]), needed(row["detectable"])]
            room = number(row["room"], sign=True)
            cells += [room if guards else MISSING, prompts(row) if guards else MISSING]
            rows.setdefault(tuple(cells), []).append(f"`{gate['plans'][0]}`")
    header = ("gate", "check", "at least", "noise (SD)", "2.5%", "97.5%", "equals pass")
    tail = ("80% pass of those better by [95%]", "80% of equals pass at", "or with prompts")
    body = [[", ".join(names), *cells] for cells, names in rows.items()]
    return markdown_table((*header, *tail), body)


def figures_table() -> str:
    """Return a row for each figure of QWK; the tails stand among the checks."""
    rows = []
    for now in condition(FIGURE["conditions"])["checks"]:
        if now["metric"].endswith("adjacent"):
            continue
        alike = check(FIGURE, now["metric"], ALIKE)
        rows.append(
            [
                FIGURES[now["metric"]],
                number(now["noise"]["sd"]),
                needed(now["detectable"]),
                needed(now["gain"]["everywhere"]),
                needed(alike["gain"]["everywhere"]),
                prompts(now, 0.02),
                prompts(now, 0.01),
            ]
        )
    header = ("figure", "noise (SD)", "sees, in its own unit [95%]", "in pooled QWK [95%]")
    tail = ("where errors correlate 0.95 [95%]", "prompts that show 0.02", "0.01")
    return markdown_table((*header, *tail), rows)


def tables() -> list[str]:
    return [gates_table(), checks_table(), figures_table()]


CLAIMS = (
    "{essays:,} ELLIPSE training essays: {prompts} prompts, {large} of them with {least} essays",
    "errors correlate {correlation:.2f}, as those of the reference and its ridge baseline do",
    "passes equal scorers {g1} of the time, {g1_alike} where their errors correlate 0.95",
    "{g1_more} with four times the prompts",
    "asks for {part:.0%} of a standard deviation of luck",
    "{worst[0]} at {sizes[0]} prompts, {worst[2]} at {sizes[2]}, {worst[3]} at {sizes[3]}",
    "four times the essays on each prompt bring it to {worst[1]}",
    "from {pooled[0]} to {pooled[3]} with four times the prompts",
    "sees a true gain of {sees} on its own",
    "`lift` needs {lift}",
    "loss of {loss:.2f} in the low tail is ruled out for {low_tail} of equal scorers",
    "better by {most} on the five prompts served worst, and nowhere else, passes",
    "`g1` {g1_most} of the time (n = {g1_n})",
    "pooled QWK lies above zero for {pooled_most} of them (n = {n})",
    "that of the mean of the worst five for {bottom_most}, that of the worst for {worst_most}",
    "{room_low:+.2f} in the low tail and {room_high:+.2f} in the high one",
    "{room_equals} of equal scorers (n = {room_n}) and needs {room} in pooled QWK",
    "{for_mean}, {for_low} and {for_high} prompts",
)
"""What the page says in running text, with the artifact's numbers left out."""


def claims() -> list[str]:
    said = {**about_the_data(), **about_the_gates(), **about_the_worst()}
    return [claim.format(**said) for claim in CLAIMS]


def about_the_data() -> Row:
    [here] = [one for one in RECORD["references"] if one["scheme"] == FIGURE["scheme"]]
    now = condition(FIGURE["conditions"])
    return {
        "essays": here["essays"],
        "prompts": here["prompts"],
        "large": now["large_prompts"],
        "least": load_plan(ROOT / "configs/gates/g1.toml").min_prompt_n,
        "correlation": here["correlation"]["value"],
        "sizes": [condition(FIGURE["conditions"], name)["prompts"] for name in MORE],
        "worst": [noise(GATES["g1"], "worst_prompt_qwk", name) for name in MORE],
        "pooled": [noise(FIGURE, "pooled_qwk", name) for name in MORE],
        "sees": needed(check(FIGURE, "pooled_qwk")["detectable"]),
    }


def about_the_gates() -> Row:
    g1, lift, room = GATES["g1"], GATES["lift"], FIGURE["with_room"]
    now, alike, more = (condition(g1["conditions"], name) for name in ("as it is", ALIKE, MOST))
    roomy = condition(room["conditions"])
    worst, tail = check(g1, "worst_prompt_qwk"), check(lift, "low_tail_adjacent")
    return {
        "g1": share(now["passes_equals"]["rate"]),
        "g1_more": share(more["passes_equals"]["rate"]),
        "g1_alike": share(alike["passes_equals"]["rate"]),
        "part": worst["delta_at_least"] / worst["noise"]["sd"],
        "lift": needed(condition(lift["conditions"])["detectable"]),
        "loss": -tail["delta_at_least"],
        "low_tail": share(tail["passes_equals"]["rate"]),
        "room_low": room["thresholds"]["low_tail_adjacent"],
        "room_high": room["thresholds"]["high_tail_adjacent"],
        "room_equals": rate(roomy["passes_equals"]),
        "room_n": roomy["passes_equals"]["n"],
        "room": needed(roomy["detectable"]),
        "for_mean": prompts(check(g1, "mean_qwk")),
        "for_low": prompts(check(g1, "low_tail_adjacent")),
        "for_high": prompts(check(g1, "high_tail_adjacent")),
    }


def about_the_worst() -> Row:
    g1 = most_on_the_worst(condition(GATES["g1"]["conditions"]))
    pooled, bottom, worst = (
        most_on_the_worst(check(FIGURE, metric))
        for metric in ("pooled_qwk", "bottom_k_mean", "worst_prompt_qwk")
    )
    return {
        "most": number(g1["gain"]),
        "g1_most": rate(g1),
        "g1_n": g1["n"],
        "pooled_most": rate(pooled),
        "n": pooled["n"],
        "bottom_most": rate(bottom),
        "worst_most": rate(worst),
    }


def test_every_number_is_the_artifacts() -> None:
    for table in tables():
        assert table in PAGE
    assert not numbers_left(PAGE, [*tables(), *claims()], WORDS)


def test_every_changed_digit_is_found() -> None:
    said = [*tables(), *claims()]
    changed = changed_digits(PAGE)
    assert len(changed) > 500
    for text in changed:
        assert not is_quoted(text, said, WORDS)


def test_what_the_page_says_in_words_holds() -> None:
    """All five point thresholds lie inside the noise; guardrails fail a third, or leave most."""
    points = [gate for gate in RECORD["gates"] if gate["rule"] == "point"]
    checks = [row for gate in points for row in condition(gate["conditions"])["checks"]]
    assert len(checks) == 5
    assert all(inside(row) for row in checks)
    failed = [1 - row["passes_equals"]["rate"] for row in checks if row["kind"] == "guardrail"]
    assert min(failed) > 0.3
    stable, kept = (
        condition(GATES[name]["conditions"])["passes_equals"]["rate"]
        for name in ("stratified_stability", "lift_stratified")
    )
    assert 1 / 3 < 1 - stable < 0.4
    assert kept < 0.5


def test_the_artifact_is_of_the_plans_there_are() -> None:
    """A threshold that was changed since, or a gate that was added, is found."""
    read = map(load_plan, (ROOT / "configs/gates").glob("*.toml"))
    # Plans that name another reference than the contract's trees ask what is added to that arm.
    asks = {plan.name: (plan, plan.model_dump()["reference"].get("scorer")) for plan in read}
    trees = {
        name: not scorer or scorer["family"] == "xgboost" for name, (_, scorer) in asks.items()
    }
    others = {name for name, of_trees in trees.items() if not of_trees}
    assert others == {"confirmation", "surprisal", "surprisal_named"}
    plans = {name: asks[name][0] for name in trees.keys() - others}
    assert GATES.keys() == plans.keys()
    for name, gate in GATES.items():
        asked = [one.model_dump(mode="json") for one in plans[name].checks]
        assert (gate["scheme"], gate["rule"]) == (plans[name].scheme, plans[name].rule)
        for now in gate["conditions"]:
            assert [{key: c[key] for key in asked[0]} for c in now["checks"]] == asked


def test_the_command_is_the_artifacts() -> None:
    assert RECORD["command"] in " ".join(PAGE.split())
