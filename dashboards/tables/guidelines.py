"""The items of three reporting guidelines for AI in imaging, and which answer of `checklist` each asks for.

The words are short names of the items, not the guidelines' own text: CLAIM 2024 update (Tejani et al. 2024, items 1 to 44), TRIPOD+AI (Collins et al.
2024, items 1 to 27), METRICS (Kocak et al. 2024, items 1 to 30).
"""

from __future__ import annotations

CLAIM = (
    ("1", "Title names AI and its kind", "authors"), ("2", "Abstract", "authors"),
    ("3", "Background, intended use", "authors"), ("4", "Aims and hypotheses", "question"),
    ("5", "Prospective or retrospective", "authors"), ("6", "Goal of the study", "question"),
    ("7", "Data sources", "authors"), ("8", "Inclusion and exclusion", "authors"),
    ("9", "Pre-processing", "preprocessing"), ("10", "Data subsets", "subsets"),
    ("11", "De-identification", "identifiers"), ("12", "Missing data", "missing"),
    ("13", "Image acquisition", "authors"), ("14", "Reference standard", "targets"),
    ("15", "Why this reference standard", "authors"), ("16", "Source of annotations", "authors"),
    ("17", "Annotation of the test set", "authors"), ("18", "Variability of raters", "authors"),
    ("19", "Assignment to partitions", "partitions"), ("20", "Level of disjointness", "disjoint"),
    ("21", "Sample size", "size"), ("22", "Model", "model"), ("23", "Software", "software"),
    ("24", "Initial parameters", "initial"), ("25", "Training", "training"),
    ("26", "Selection of the final model", "selection"), ("27", "Ensembling", "ensembling"),
    ("28", "Metrics", "metrics"), ("29", "Uncertainty", "uncertainty"),
    ("30", "Robustness", "authors"), ("31", "Explainability", "explain"),
    ("32", "Internal evaluation", "internal"), ("33", "External testing", "external"),
    ("34", "Trial registration", "plan"), ("35", "Participants, in and out", "flow"),
    ("36", "Demographics by partition", "demographics"), ("37", "Performance on all partitions", "performance"),
    ("38", "Estimates and precision", "performance"), ("39", "Failure analysis", "failures"),
    ("40", "Limitations", "authors"), ("41", "Implications for practice", "authors"),
    ("42", "Protocol", "plan"), ("43", "Availability of software, model, data", "available"), ("44", "Funding", "authors"),
)  # fmt: skip
TRIPOD = (
    ("1", "Title", "authors"), ("2", "Abstract", "authors"), ("3", "Background", "authors"),
    ("4", "Objectives", "question"), ("5", "Data", "authors"), ("6", "Participants", "authors"),
    ("7", "Data preparation", "preprocessing"), ("8", "Outcome", "targets"), ("9", "Predictors", "preprocessing"),
    ("10", "Sample size", "size"), ("11", "Missing data", "missing"), ("12", "Analytical methods", "selection"),
    ("13", "Class imbalance", "imbalance"), ("14", "Fairness", "fairness"), ("15", "Model output", "output"),
    ("16", "Training and evaluation data", "partitions"), ("17", "Ethical approval", "authors"),
    ("18", "Open science", "available"), ("19", "Patient involvement", "authors"), ("20", "Participants, results", "demographics"),
    ("21", "Model development", "flow"), ("22", "Model specification", "available"), ("23", "Model performance", "performance"),
    ("24", "Model updating", "authors"), ("25", "Interpretation", "authors"), ("26", "Limitations", "authors"), ("27", "Usability", "authors"),
)  # fmt: skip
METRICS = (
    ("1", "Use of a checklist", "checklist"), ("2", "Eligibility criteria", "authors"),
    ("3", "Quality of the reference standard", "authors"), ("4", "Several centres", "external"),
    ("5", "Clinical translatability of the imaging", "authors"), ("6", "Imaging protocol", "authors"),
    ("7", "Time between image and reference", "authors"), ("8", "Segmentation described", "segmentation"),
    ("9", "Automatic segmentation evaluated", "segmentation"), ("10", "Test masks of one reader", "segmentation"),
    ("11", "Pre-processing", "preprocessing"), ("12", "Feature software", "software"), ("13", "Feature parameters", "model"),
    ("14", "Removal of unstable features", "handcrafted"), ("15", "Removal of redundant features", "handcrafted"),
    ("16", "Dimensions against data size", "size"), ("17", "Robustness of deep learning", "authors"),
    ("18", "Data partitioning", "disjoint"), ("19", "Confounding factors", "confounding"),
    ("20", "Metrics", "metrics"), ("21", "Uncertainty", "uncertainty"), ("22", "Calibration", "calibration"),
    ("23", "Uni-parametric imaging", "authors"), ("24", "Comparison without radiomics", "authors"),
    ("25", "Comparison with simple models", "baselines"), ("26", "Internal testing", "internal"), ("27", "External testing", "external"),
    ("28", "Data availability", "authors"), ("29", "Code availability", "software"), ("30", "Model availability", "available"),
)  # fmt: skip

GUIDELINES = {"CLAIM 2024": CLAIM, "TRIPOD+AI": TRIPOD, "METRICS": METRICS}
