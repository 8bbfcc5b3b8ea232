"""What columns of tables of essays are called, in small letters and digits, the likeliest first."""

from __future__ import annotations

from collections.abc import Mapping

ID = (
    *("essayid", "textid", "textidkaggle", "recordid", "spkitemid", "responseid", "answerid"),
    *("documentid", "docid", "uid", "id", "kennung", "nummer", "nr"),
)
TEXT = (
    *("essay", "fulltext", "essaytext", "text", "answer", "response", "essayanswer", "content"),
    *("aufsatz", "antwort"),
)
PROMPT = (
    *("prompt", "promptname", "promptid", "essayset", "promptnumber", "task", "taskid", "topic"),
    *("assignment", "question", "questionid", "item", "itemid", "aufgabe", "thema"),
)
PROMPT_TEXT = (
    *("prompttext", "fullprompt", "promptfull", "promptbody", "promptcontent", "promptquestion"),
    *("assignment", "assignmenttext", "instructions", "instruction", "questiontext", "question"),
    *("tasktext", "taskdescription", "prompt", "aufgabentext", "aufgabenstellung"),
)
"""Columns of what a prompt asked, beside one of the prompts' names."""

SCORE = (
    *("score", "domain1score", "overall", "overallscore", "holistic", "holisticscore", "band"),
    *("holisticessayscore", "finalscore", "resolvedscore", "essayscore", "totalscore", "points"),
    *("mark", "marks", "level", "cefr", "label", "grade", "punkte", "note", "bewertung", "sc1"),
)
RATERS = tuple(
    f"{who}{number}{rest}"
    for who in ("rater", "score", "reader", "human", "scorer", "annotator", "rating", "h")
    for number in range(1, 10)
    for rest in ("", "score", "domain1")
)
RATER = ("rater", "raterid", "reader", "readerid", "scorer", "annotator", "annotatorid", "grader")
TRAITS = (
    *("cohesion", "syntax", "vocabulary", "phraseology", "grammar", "conventions", "organization"),
    *("organisation", "ideas", "voice", "wordchoice", "sentencefluency", "style", "coherence"),
)
GROUPS = (
    *("gender", "sex", "grade", "gradelevel", "raceethnicity", "ethnicity", "race", "ses"),
    *("ell", "ellstatus", "nativelanguage", "firstlanguage", "l1", "country", "disability"),
    *("studentdisabilitystatus", "economicallydisadvantaged", "school", "district"),
)
WEIGHT = (
    *("weight", "weights", "sampleweight", "samplingweight", "designweight", "surveyweight"),
    *("essayweight", "studentweight", "finalweight", "pweight", "wgt", "wt", "gewicht"),
)
FOLD = ("fold", "folds", "cvfold", "kfold")
TRUE = ("ytrue", "sc1", "human", "h1", "truescore")
PREDICTED = ("ypredraw", "ypred", "scaletrim", "rawtrim", "system", "raw", "prediction", "scale")

PREDICTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "record_id": ("spkitemid", "ID"),
    "prompt": (),
    "fold": (),
    "y_true": ("sc1", "human"),
    "y_pred_raw": ("scale_trim", "raw_trim", "system", "raw"),
    "y_pred": (),
    "second_score": ("sc2", "human2"),
}
"""What RSMTool calls the columns of imported predictions, where a file has none of our names."""
