"""Sections of the chapter, and runs to check it against, that are not there."""

from bad_inputs.case import Case

CHAPTER = (
    Case(
        "a section that the chapter has not",
        "cnnlab chapter 19.7",
        "error: no section '19.7'; there are 19.1, 19.2, 19.3, 19.4, 19.5, 19.6. Did you mean '19.6'?",
    ),
    Case(
        "a run to check the chapter against that is not there",
        "cnnlab chapter 19.5 --run tinny",
        "error: no run 'tinny' under runs. Did you mean 'tiny'?",
        run=True,
    ),
)
